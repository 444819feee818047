"""Every screen: what its keys do, what they refuse, and what reaches the floors below."""

import csv

import pytest
from textual.widgets import Input, OptionList, Static

from console.errors import CouldNotRun, InDoubt, Stopped
from console.operation import Check, Progress
from screens.actions import ACTIONS
from screens.base import ConsoleScreen
from screens.checklist import ChecklistScreen
from screens.confirm import ConfirmScreen
from screens.findings import FindingsScreen
from screens.form import FormScreen
from screens.help import HelpScreen, TextScreen
from screens.home import HomeScreen
from screens.palette import ActionProvider
from screens.plan import PlanScreen
from screens.ports import Case, Mark, Place
from screens.progress import ProgressScreen
from screens.rollback import RollbackScreen
from screens.session import SessionScreen
from screens.widgets.action_bar import ActionKey
from screens.widgets.banner import Banner
from screens.widgets.keyset_table import KeysetTable
from tests.pilot.conftest import MakeApp
from tests.pilot.driving import (
    confirm,
    fill,
    go_to,
    on_screen,
    rows_in_view,
    run_step,
    settled,
    to_plan,
    until,
)
from tests.pilot.stage import FINDINGS, NOW, Gate, MemoryStage

SCREENS: list[type[ConsoleScreen]] = [
    HomeScreen,
    ChecklistScreen,
    FindingsScreen,
    PlanScreen,
    ProgressScreen,
    RollbackScreen,
    SessionScreen,
]


def text_of(screen: object, selector: str) -> str:
    assert hasattr(screen, "query_one")
    return str(screen.query_one(selector, Static).content)


@pytest.mark.parametrize("screen", SCREENS)
def test_every_action_has_its_own_key_and_does_something(screen: type[ConsoleScreen]) -> None:
    """One table: no key twice on a screen, no action without its method."""
    ids = [binding.id for binding in screen.BINDINGS]  # type: ignore[union-attr]
    keys = [ACTIONS[name].key for name in ids if name in ACTIONS]
    assert len(keys) == len(ids)
    assert all(hasattr(screen, f"do_{name}") for name in ids)
    assert {"help", "quit"} <= set(ids)
    # Enter starts a step by whatever list has the focus; else a key means one thing.
    assert len(set(keys)) == len(keys)


def test_no_key_means_a_danger_here_and_a_harmless_thing_there() -> None:
    """A key that writes on one screen asks first, or only plans."""
    asks_first = {"apply", "cancel", "undo", "restore"}
    assert {name for name, action in ACTIONS.items() if action.danger} == asks_first


class TestHome:
    async def test_environment_and_server_in_words(self, make_app: MakeApp) -> None:
        """The banner says kind, name, host, database and server id, not only by colour."""
        app = make_app("home")
        async with app.run_test(size=(120, 36)) as pilot:
            await settled(pilot)
            banner = app.screen.query_one(Banner)
            assert "SANDBOX" in text_of(banner, "#banner-kind")
            said = text_of(banner, "#banner-server")
            assert "demo" in said
            assert "db.example/billing" in said
            assert "7423551" in said
            assert banner.has_class("-sandbox")

    async def test_an_unreachable_server_is_not_run(
        self, make_app: MakeApp, stage: MemoryStage
    ) -> None:
        """Nothing is green that did not run; an automatic step says why it cannot start."""
        stage.trouble = CouldNotRun("Connection refused.")
        app = make_app("home")
        async with app.run_test() as pilot:
            await settled(pilot)
            said = text_of(app.screen, "#preflight")
            assert "not run" in said
            assert "Connection refused." in said
            await pilot.press("enter")
            await on_screen(pilot, ChecklistScreen)
            await go_to(pilot, "1.2")
            assert app.screen.why_not("start") == "Connection refused."  # type: ignore[attr-defined]

    async def test_no_environment(
        self, make_app: MakeApp, stage: MemoryStage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without a configuration the screen says what to do."""
        monkeypatch.setattr(stage, "places", lambda: ())
        app = make_app("home")
        async with app.run_test() as pilot:
            await settled(pilot)
            assert "ops-console.toml" in text_of(app.screen, "#preflight")

    async def test_another_environment(self, make_app: MakeApp, stage: MemoryStage) -> None:
        """Choosing another one forgets plans and sessions of the old one."""
        stage.extra_places = (Place("live", "production", read_only=True),)
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            await pilot.press("escape", "h")
            await on_screen(pilot, HomeScreen)
            await pilot.press("e", "down", "enter")
            await settled(pilot)
            assert app.place is not None
            assert app.place.name == "live"
            assert app.flow.planned == {}
            assert "PRODUCTION" in text_of(app.screen, "#banner-kind")
            assert "READ-ONLY" in text_of(app.screen, "#banner-kind")

    async def test_a_session_is_gone_on_with(self, make_app: MakeApp, stage: MemoryStage) -> None:
        """The checklist stands where the log ends."""
        stage.held = [Case("20260208-021409-x", "billing", "demo", NOW, "at step 1.1")]
        app = make_app("home")
        async with app.run_test() as pilot:
            await settled(pilot)
            app.screen.query_one("#cases", OptionList).focus()
            await pilot.press("enter")
            await on_screen(pilot, ChecklistScreen)
            assert isinstance(app.screen, ChecklistScreen)
            assert app.screen.here == 1

    async def test_what_is_in_doubt_is_under_the_cursor(
        self, make_app: MakeApp, stage: MemoryStage
    ) -> None:
        """Whoever left work behind finds it selected, the doubtful first, with its environment."""
        stage.extra_places = (Place("live", "production"),)
        stage.held = [
            Case("20260208-021409-x", "billing", "live", NOW, "at 1.1"),
            Case("20260207-221400-y", "billing", "demo", NOW, "at 3", "in doubt: manual-fix41"),
        ]
        app = make_app("home")
        async with app.run_test() as pilot:
            await settled(pilot)
            cases = app.screen.query_one("#cases", OptionList)
            assert cases.has_focus
            shown = [str(cases.get_option_at_index(index).prompt) for index in range(2)]
            assert "SANDBOX demo" in shown[0]
            assert "in doubt" in shown[0]
            assert "PRODUCTION live" in shown[1]
            await pilot.press("g")
            await on_screen(pilot, ChecklistScreen)
            assert app.place is not None
            assert app.place.name == "demo"

    async def test_the_environment_follows_the_session(
        self, make_app: MakeApp, stage: MemoryStage
    ) -> None:
        """A session of another environment takes the banner with it: one screen, one server."""
        stage.extra_places = (Place("live", "production"),)
        stage.held = [Case("20260208-021409-x", "billing", "live", NOW, "at step 1.1")]
        app = make_app("home")
        async with app.run_test() as pilot:
            await settled(pilot)
            app.screen.query_one("#cases", OptionList).focus()
            await pilot.press("enter")
            await on_screen(pilot, ChecklistScreen)
            await settled(pilot)
            assert app.place is not None
            assert app.place.name == "live"
            assert "PRODUCTION" in text_of(app.screen, "#banner-kind")
            assert app.flow.incident(app.screen.book).environment == "live"  # type: ignore[attr-defined, union-attr]


class TestChecklist:
    async def test_evidence_is_mandatory(self, make_app: MakeApp, stage: MemoryStage) -> None:
        """Without evidence nothing is attested; with it the log has it and the pointer moves on."""
        app = make_app()
        async with app.run_test() as pilot:
            await settled(pilot)
            await pilot.press("m", "enter")
            assert isinstance(app.screen, FormScreen)
            assert "evidence" in text_of(app.screen, "#wrong")
            assert stage.begun == []
            await fill(pilot, evidence="backup_1.dump, 2.1 GB")
            await on_screen(pilot, ChecklistScreen)
            assert stage.begun[0].marks()["billing.1.1"].evidence == "backup_1.dump, 2.1 GB"
            assert isinstance(app.screen, ChecklistScreen)
            assert app.screen.here == 1
            assert app.screen.step.section == "1.2"

    async def test_the_documents_command_is_shown(self, make_app: MakeApp) -> None:
        """The exact SQL of a step stands on a key, and can be copied."""
        app = make_app()
        async with app.run_test() as pilot:
            await settled(pilot)
            await go_to(pilot, "1.2")
            await pilot.press("c")
            assert isinstance(app.screen, TextScreen)
            assert "HAVING COUNT(*) > 1;" in text_of(app.screen, "#text")
            await pilot.press("y")
            assert app.clipboard.startswith("SELECT invoice_id, unit_id, line_type,")

    async def test_a_dimmed_action_says_why(self, make_app: MakeApp) -> None:
        """Pressed all the same, it answers with the reason."""
        app = make_app()
        async with app.run_test(notifications=True) as pilot:
            await settled(pilot)
            assert app.screen.query_one("#key-show_plan").has_class("-off")
            await pilot.press("p")
            assert [n.message for n in app._notifications] == ["Plan: no plan stands"]

    async def test_a_click_does_what_the_key_does(self, make_app: MakeApp) -> None:
        """The action bar works by mouse."""
        app = make_app()
        async with app.run_test() as pilot:
            await settled(pilot)
            await pilot.click("#key-command")
            assert isinstance(app.screen, TextScreen)

    async def test_the_bar_shows_every_key_at_80_columns(self, make_app: MakeApp) -> None:
        """What does not fit goes on in the next line; no key overlaps another."""
        app = make_app()
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            regions = [key.region for key in app.screen.query(ActionKey)]
            assert all(region.right <= 80 and region.bottom <= 24 for region in regions)
            taken = {(x, r.y) for r in regions for x in range(r.x, r.right)}
            assert len(taken) == sum(region.width for region in regions)

    async def test_wrong_input_is_said_in_the_form(
        self, make_app: MakeApp, stage: MemoryStage
    ) -> None:
        """What the command refuses is said, and nothing is started."""
        app = make_app()
        async with app.run_test() as pilot:
            await run_step(pilot, "3")
            await pilot.press("enter")
            assert "The run id is empty." in text_of(app.screen, "#wrong")
            assert stage.commands == []

    async def test_a_run_in_doubt_comes_first(self, make_app: MakeApp, stage: MemoryStage) -> None:
        """While a run is in doubt nothing is started; settling is offered."""
        app = make_app()
        async with app.run_test() as pilot:
            await settled(pilot)
            app.flow.opened(stage.begin(app.screen.book, "demo"))  # type: ignore[attr-defined]
            stage.begun[0].marked["billing.3"] = Mark("in_doubt", "run r", NOW)
            await pilot.press("s", "escape")
            await settled(pilot)
            screen = app.screen
            assert isinstance(screen, ChecklistScreen)
            await go_to(pilot, "3")
            assert "in doubt" in screen.why_not("start")
            assert screen.why_not("settle") == ""
            await pilot.press("x")
            await on_screen(pilot, ProgressScreen)
            assert "did not commit and cannot any more" in text_of(app.screen, "#result")

    async def test_help_and_palette_offer_the_same(self, make_app: MakeApp) -> None:
        """Both come from the table, with the reasons."""
        app = make_app()
        async with app.run_test() as pilot:
            await settled(pilot)
            screen = app.screen
            assert isinstance(screen, ChecklistScreen)
            provider = ActionProvider(screen)
            hits = [hit async for hit in provider.discover()]
            assert [hit.text for hit in hits] == [action.label for action in screen.actions]
            assert any(str(hit.help).startswith("not now: no plan stands") for hit in hits)
            found = [hit async for hit in provider.search("exact SQL")]
            assert [hit.text for hit in found] == ["Command"]
            await pilot.press("question_mark")
            assert isinstance(app.screen, HelpScreen)

    @pytest.mark.parametrize("book", ["billing", "paid_amount", "ofx"])
    async def test_every_step_can_be_shown(self, make_app: MakeApp, book: str) -> None:
        """Every step of every runbook fits its panel without a fault."""
        app = make_app(book)
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            screen = app.screen
            assert isinstance(screen, ChecklistScreen)
            for step in screen.book.steps:
                await go_to(pilot, step.section)
                assert screen.step == step
            await pilot.press("k")
            assert "Contacts" in text_of(app.screen, "#text")


class TestFindings:
    async def test_worst_first_filtered_and_exported(
        self, make_app: MakeApp, stage: MemoryStage
    ) -> None:
        """By severity, by text, and to a CSV file that no spreadsheet runs."""
        stage.next_operation = "duplicates"
        app = make_app()
        async with app.run_test() as pilot:
            await run_step(pilot, "1.2")
            screen = app.screen
            assert isinstance(screen, FindingsScreen)
            severities = [row.value.severity for row in rows_in_view(screen.table)]
            assert severities == ["error", "error", "warning", "info"]
            assert "Resolve the group (5.1)" in text_of(screen, "#detail")
            await pilot.press("v", "v")
            await settled(pilot)
            assert [row.value.code for row in rows_in_view(screen.table)] == ["twin"]
            await pilot.press("v", "v", "slash")
            await pilot.press(*"tax", "enter")
            await settled(pilot)
            assert [row.value.code for row in rows_in_view(screen.table)] == ["tax-rate"]
            await pilot.press("o")
            await settled(pilot)
            written = list(stage.folder.glob("findings-*.csv"))
            assert len(written) == 1
            with written[0].open(newline="", encoding="utf-8") as file:
                assert [row["code"] for row in csv.DictReader(file)] == ["tax-rate"]
            await pilot.press("escape")
            await settled(pilot)
            assert screen.search == ""
            assert app.screen is screen

    async def test_figures_leave_the_findings_in_view(
        self, make_app: MakeApp, stage: MemoryStage
    ) -> None:
        """However much a check measured, its findings are what is seen; the rest scrolls."""
        rows = [{"ids": ["a" * 36, "b" * 36], "deleted": [True, False]} for _ in range(30)]
        check = Check("duplicates", "fail", "2 groups", FINDINGS, {"groups": 2, "rows": rows})
        app = make_app()
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            app.push_screen(FindingsScreen.of_check(check, "Duplicate precheck"))
            await settled(pilot)
            assert len(rows_in_view(app.screen.query_one(KeysetTable))) == len(FINDINGS)
            await pilot.press("tab", "end")
            await settled(pilot)
            assert app.screen.query_one("#panel").scroll_offset.y > 0
            said = text_of(app.screen, "#detail")
            assert "true, false" in said
            assert "['" not in said

    async def test_an_export_has_every_page(self, make_app: MakeApp, stage: MemoryStage) -> None:
        """What is written is everything that is asked for, not what fits on the screen."""
        stage.size = 2500
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            await pilot.press("t", "o")
            await settled(pilot)
            (written,) = stage.folder.glob("plan-*.csv")
            with written.open(newline="", encoding="utf-8") as file:
                kinds = [row["kind"] for row in csv.DictReader(file)]
            assert kinds == ["insert"] * 500

    async def test_nothing_found_is_said(self, make_app: MakeApp, stage: MemoryStage) -> None:
        """A passed check is shown as well."""
        stage.next_operation, stage.answer = "duplicates", "pass"
        app = make_app()
        async with app.run_test() as pilot:
            await run_step(pilot, "1.2")
            assert "✓ pass" in text_of(app.screen, "#head")

    async def test_the_record_is_copied(self, make_app: MakeApp, stage: MemoryStage) -> None:
        """The id under the cursor goes to the clipboard."""
        stage.next_operation = "duplicates"
        app = make_app()
        async with app.run_test() as pilot:
            await run_step(pilot, "1.2")
            await pilot.press("y")
            assert app.clipboard == "00000000-0000-4000-8000-000000000001"


class TestPlan:
    async def test_kinds_search_and_detail(self, make_app: MakeApp, stage: MemoryStage) -> None:
        """One kind after the other; a search; before and after of the row under the cursor."""
        stage.size = 250
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            screen = app.screen
            assert isinstance(screen, PlanScreen)
            assert screen.table.known == 250
            await pilot.press("t", "t")
            await settled(pilot)
            assert {row.value.operation for row in rows_in_view(screen.table)} == {"update"}
            assert screen.table.known == 50
            assert "amount: 120.00 → 125.50" in text_of(screen, "#detail")
            await pilot.press("end")
            await settled(pilot)
            assert screen.row is not None
            assert screen.row.number == 247

    async def test_the_plan_writes_nothing_until_confirmed(
        self, make_app: MakeApp, stage: MemoryStage
    ) -> None:
        """Cancel leaves the plan standing; yes applies exactly it, verifies, and uses it up."""
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            plan = app.flow.planned["billing"].plan
            await pilot.press("a")
            assert isinstance(app.screen, ConfirmScreen)
            await pilot.press("enter")
            await on_screen(pilot, PlanScreen)
            assert stage.applied == []
            await pilot.press("a")
            await confirm(pilot)
            await on_screen(pilot, ProgressScreen)
            assert stage.applied == [plan]
            assert "billing" not in app.flow.planned
            said = text_of(app.screen, "#result")
            assert "✓ committed" in said
            assert "Verification" in said
            assert "manual-20260208-fix42" in said

    async def test_the_rows_of_an_applied_plan_are_not_read(
        self, make_app: MakeApp, stage: MemoryStage
    ) -> None:
        """Reading and applying share one connection: a page in the middle would end the write."""
        stage.gate = Gate()
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            table = app.screen.query_one(KeysetTable)
            fetch = table.source.fetch  # type: ignore[union-attr]
            await pilot.press("a")
            await confirm(pilot)
            await until(pilot, stage.gate.reached.is_set, "the apply")
            with pytest.raises(Exception, match="being applied"):
                fetch(0, 10)
            stage.gate.open.set()
            await settled(pilot)

    async def test_the_sql_of_a_plan_is_shown(self, make_app: MakeApp, stage: MemoryStage) -> None:
        """What will run can be read before it runs."""
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            await pilot.press("c")
            assert "INSERT INTO invoice_lines" in text_of(app.screen, "#text")

    async def test_read_only_disables_apply(self, make_app: MakeApp, stage: MemoryStage) -> None:
        """The action stays visible and says why."""
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            app.place = Place("demo", "sandbox", read_only=True)
            await pilot.pause()
            assert app.screen.why_not("apply") == "the environment is read-only"  # type: ignore[attr-defined]
            await pilot.press("a")
            assert isinstance(app.screen, PlanScreen)

    async def test_production_wants_the_token(self, make_app: MakeApp, stage: MemoryStage) -> None:
        """The dialog of a production target asks for this plan's token."""
        stage.kind = "production"
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            await pilot.press("a", "y")
            assert isinstance(app.screen, ConfirmScreen)
            assert app.screen.query_one("#token", Input).value == ""
            assert stage.applied == []


class TestProgress:
    async def test_cancel_is_asked_and_shown_until_the_end(
        self, make_app: MakeApp, stage: MemoryStage
    ) -> None:
        """Stopped is said only when the operation has ended, and nothing was kept."""
        stage.gate = Gate()
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            await pilot.press("a")
            await confirm(pilot)
            await until(pilot, stage.gate.reached.is_set, "the apply")
            await until(pilot, lambda: "50 of 100" in text_of(app.screen, "#done .said"), "rows")
            await pilot.press("x")
            await settled(pilot)
            assert app.flow.ending is not None
            assert isinstance(app.flow.ending.error, Stopped)
            assert "rolled back, nothing was kept" in text_of(app.screen, "#state")
            assert app.flow.applied == {}

    async def test_it_says_who_blocks(self, make_app: MakeApp, stage: MemoryStage) -> None:
        """What the server waits for replaces the estimate."""
        stage.gate = Gate()
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            await pilot.press("a")
            await confirm(pilot)
            await until(pilot, stage.gate.reached.is_set, "the apply")
            pace = app.runner._pace
            assert pace is not None
            pace.waits("waiting for pid 4121 (report_job, idle in transaction 41 min)")
            await until(pilot, lambda: app.screen.query_one("#waits").display, "the reason")
            assert "report_job" in text_of(app.screen, "#waits .said")
            assert "no estimate" in text_of(app.screen, "#left .said")
            stage.gate.open.set()
            await settled(pilot)

    async def test_in_doubt_is_its_own_state(self, make_app: MakeApp, stage: MemoryStage) -> None:
        """A lost answer is neither done nor failed."""
        stage.error = InDoubt("The answer to COMMIT was lost.", next_step="Settle it.")
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            await pilot.press("a")
            await confirm(pilot)
            await settled(pilot)
            assert "in doubt" in text_of(app.screen, "#state")
            assert "Settle it." in text_of(app.screen, "#result")

    async def test_leaving_the_screen_does_not_stop_it(
        self, make_app: MakeApp, stage: MemoryStage
    ) -> None:
        """The operation belongs to the app; another runbook can be looked at meanwhile."""
        stage.gate = Gate()
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            await pilot.press("a")
            await confirm(pilot)
            await until(pilot, stage.gate.reached.is_set, "the apply")
            await pilot.press("escape", "h")
            await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home")
            assert app.runner.busy
            assert app.screen.why_not("preflight") == "another operation is running"  # type: ignore[attr-defined]
            stage.gate.open.set()
            await settled(pilot)
            assert app.flow.applied["billing"].check is not None

    async def test_quitting_asks_and_waits_for_the_rollback(
        self, make_app: MakeApp, stage: MemoryStage
    ) -> None:
        """q opens a dialog; yes asks the operation to stop and leaves when it has ended."""
        stage.gate = Gate()
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            await pilot.press("a")
            await confirm(pilot)
            await until(pilot, stage.gate.reached.is_set, "the apply")
            await pilot.press("q")
            assert isinstance(app.screen, ConfirmScreen)
            assert not stage.closed
            await pilot.press("y")
            await until(pilot, lambda: stage.closed, "the end")
        assert isinstance(app.flow.ending.error, Stopped)  # type: ignore[union-attr]
        assert app.return_code == 0


class TestRollback:
    async def test_conflicts_are_decided_one_by_one(
        self, make_app: MakeApp, stage: MemoryStage
    ) -> None:
        """Three versions side by side; the decisions reach the next plan, not this one."""
        stage.next_operation = "rollback"
        app = make_app()
        async with app.run_test() as pilot:
            await run_step(pilot, "6.2")
            screen = app.screen
            assert isinstance(screen, RollbackScreen)
            assert screen.why_not("replan") == "nothing is decided yet"
            assert screen.why_not("restore") == "it is undone as planned"
            await pilot.press("n")
            await settled(pilot)
            said = text_of(screen, "#detail")
            assert "old 120.00  run 125.50  now 199.99" in said
            await pilot.press("k", "r")
            assert list(screen.decisions.values()) == ["keep", "restore"]
            assert "d plans again" in screen.why_not("apply")
            await pilot.press("d")
            await settled(pilot)
            assert isinstance(app.screen, RollbackScreen)
            assert app.screen is not screen
            decided = dict(stage.commands[-1].decisions)
            assert decided == screen.decisions

    async def test_a_decision_is_shown_in_the_plan_that_has_it(
        self, make_app: MakeApp, stage: MemoryStage
    ) -> None:
        """After planning again, a conflict that was decided says how."""
        stage.next_operation = "rollback"
        app = make_app()
        async with app.run_test() as pilot:
            await run_step(pilot, "6.2")
            await on_screen(pilot, RollbackScreen)
            await pilot.press("n", "k", "d")
            await until(pilot, lambda: len(stage.commands) == 2, "planned again")
            await on_screen(pilot, RollbackScreen)
            await pilot.press("n")
            await settled(pilot)
            shown = rows_in_view(app.screen.query_one(KeysetTable))
            assert [row.cells[2].plain for row in shown[:2]] == ["keep", ""]

    async def test_the_undo_of_a_run_is_a_plan(self, make_app: MakeApp, stage: MemoryStage) -> None:
        """Undo writes nothing by itself; it plans, like everything."""
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            await pilot.press("a")
            await confirm(pilot)
            await settled(pilot)
            await pilot.press("escape")
            stage.next_operation = "rollback"
            await pilot.press("u")
            await on_screen(pilot, FormScreen)
            await pilot.press("enter")
            await on_screen(pilot, RollbackScreen)
            assert stage.commands[-1].run_id == "undo-manual-20260208-fix42"
            assert len(stage.applied) == 1


class TestSession:
    async def test_records_and_verdict(self, make_app: MakeApp, stage: MemoryStage) -> None:
        """The log as a list, with what its chain says."""
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            await pilot.press("escape", "s")
            await on_screen(pilot, SessionScreen)
            assert "the chain holds" in text_of(app.screen, "#head")
            kinds = [row.value.kind for row in rows_in_view(app.screen.query_one(KeysetTable))]
            assert kinds == ["started", "intent", "outcome"]

    async def test_ending_a_session_asks_and_begins_anew(
        self, make_app: MakeApp, stage: MemoryStage
    ) -> None:
        """After the end the runbook has no session; the next step begins another."""
        app = make_app()
        async with app.run_test() as pilot:
            await to_plan(pilot)
            await pilot.press("escape", "s")
            await on_screen(pilot, SessionScreen)
            await pilot.press("e")
            await confirm(pilot)
            await on_screen(pilot, ChecklistScreen)
            assert stage.begun[0].log[-1].kind == "closed"
            assert app.screen.why_not("session") != ""  # type: ignore[attr-defined]


async def test_ten_thousand_progress_messages_leave_the_keys_alive(
    make_app: MakeApp, stage: MemoryStage
) -> None:
    """The newest progress is shown; older ones are dropped, not queued."""
    app = make_app()
    async with app.run_test() as pilot:
        await settled(pilot)
        from screens.messages import Advanced
        from screens.pace import Pace

        pace = Pace("x", "apply", lambda: 0.0)
        for number in range(10_000):
            app.post_message(Advanced(pace.take(Progress("write", number, 10_000))))
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
