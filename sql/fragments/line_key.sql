-- name: line_key
-- The console's own description key: invisible characters dropped, NFC, lower case, every space one space.
CASE
  WHEN {text} ~ '^[!-~ÄÖÜäöüß]+( [!-~ÄÖÜäöüß]+)*$' THEN lower({text} COLLATE {collation})
  ELSE btrim(regexp_replace(
    normalize(lower(normalize(
      regexp_replace({text}, '[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+', '', 'g'),
      NFC) COLLATE {collation}), NFC),
    '[\u0001-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+', ' ', 'g'))
END
