-- name: line_key
-- The console's own description key: invisible characters dropped, NFC, lower case, every space one space.
CASE
  WHEN {text} ~ '^[!-~ÄÖÜäöüß]+( [!-~ÄÖÜäöüß]+)*$' THEN lower({text} COLLATE {collation})
  ELSE btrim(regexp_replace(
    normalize(lower(normalize(
      regexp_replace({text}, '[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]+', '', 'g'),
      NFC) COLLATE {collation}), NFC),
    '[\u0001-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+', ' ', 'g'))
END
