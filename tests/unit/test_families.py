"""`flowmon dialects`: the table, and README that shows it."""

import json
from pathlib import Path

import pytest

from flowmon.__main__ import main
from flowmon.errors import FlowmonError
from sensors import families
from sensors.dialects import DIALECTS

README = Path(__file__).parents[2] / "README.md"
KINDS = {"event", "window", "cumulative"} | {
    "zone_count", "queue_reading", "sighting", "device_status", "presence", "served", "desks_open", "booked",
    "interaction",
}  # fmt: skip


def test_readme_shows_the_table() -> None:
    text = README.read_text()
    assert families.put_into(text, families.markdown(families.families())) == text, (
        "README is behind: run `flowmon dialects --into README.md`"
    )


def test_every_name_is_in_the_table_once() -> None:
    named = [name for names, _ in families.families() for name in names]
    assert sorted(named) == sorted(DIALECTS)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_a_family_says_all_of_itself(dialect: str) -> None:
    family = DIALECTS[dialect].FAMILY
    assert all([family.name, family.transports, family.kinds, family.privacy, family.tested, family.source])
    assert set(family.kinds) <= KINDS


def test_two_names_of_a_family_stand_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dialects", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert ["openmqttgateway", "theengs"] in [one["dialects"] for one in told]
    assert main(["dialects", "--markdown"]) == 0
    assert "| `openmqttgateway`, `theengs` |" in capsys.readouterr().out
    assert main(["dialects"]) == 0
    assert "tasmota" in capsys.readouterr().out


def test_a_page_without_a_place_for_it_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "x.md"
    page.write_text("# x\n")
    assert main(["dialects", "--into", str(page)]) == 1
    assert page.read_text() == "# x\n"
    assert families.BEGIN in capsys.readouterr().err
    with pytest.raises(FlowmonError):
        families.put_into(families.BEGIN, "")
    page.write_text(f"a\n{families.BEGIN}\nold\n{families.END}\nb\n")
    assert main(["dialects", "--into", str(page)]) == 0
    assert page.read_text().startswith(f"a\n{families.BEGIN}\n| family |")
    assert "old" not in page.read_text()
    assert page.read_text().endswith(f"{families.END}\nb\n")
