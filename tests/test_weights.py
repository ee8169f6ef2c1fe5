"""Files of weights: round trips, damage, and what does not fit."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

import ipx
from ipx.errors import InputError, MissingExtraError, UsageError
from ipx.files.cards import shipped_weights
from ipx.files.record import read_record, record_path
from ipx.parts.weights import load_weights, save_weights


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Untrained weights of a small DnCNN."""
    model = ipx.model("dncnn", width=4, depth=3)
    path = tmp_path / "tiny.safetensors"
    card = {"model": "denoisers/dncnn", "options": model.options.to_mapping()}
    with torch.random.fork_rng():
        save_weights(path, model.network().state_dict(), card)
    return path


def test_weights_round_trip(tiny: Path) -> None:
    loaded = load_weights(tiny, "dncnn")
    assert loaded.model.options.width == 4
    x, level = torch.rand(1, 1, 8, 8), torch.full((1, 1, 1, 1), 0.1)
    assert torch.equal(loaded.network()(x, level), loaded.network()(x, level))
    assert not any(p.requires_grad for p in loaded.network().parameters())


def test_a_flipped_byte_is_noticed(tiny: Path) -> None:
    damaged = bytearray(tiny.read_bytes())
    damaged[-3] ^= 1
    tiny.write_bytes(damaged)
    with pytest.raises(InputError, match="is damaged: its sha256") as e:
        load_weights(tiny, "dncnn")
    assert "\n" not in str(e.value)


def test_weights_that_do_not_fit(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="of denoisers/dncnn, not of denoisers/ffdnet"):
        load_weights(tiny, "ffdnet")
    card = read_record(record_path(tiny))
    tensors = load_weights(tiny, "dncnn").tensors
    for change, why in (({"width": 5}, "do not fit"), ({"nothing": 5}, "unknown option nothing")):
        wrong = {**card, "options": {**card["options"], **change}}
        save_weights(tmp_path / "b.safetensors", tensors, wrong)
        with pytest.raises(InputError, match=why):
            load_weights(tmp_path / "b.safetensors", "dncnn")
    with pytest.raises(InputError, match="not finite"):
        save_weights(tmp_path / "c.safetensors", {"a": torch.tensor([1e6])}, card, half=True)
    record_path(tiny).unlink()
    with pytest.raises(InputError, match="is not a weights file: no card"):
        load_weights(tiny, "dncnn")


def test_weights_that_are_not_there() -> None:
    with pytest.raises(MissingExtraError, match="ipx train dncnn") as e:
        load_weights("auto", "dncnn", 1)
    assert e.value.exit_code == 4
    with pytest.raises(UsageError, match="did you mean auto"):
        load_weights("atuo", "dncnn", 1)


@pytest.mark.parametrize(("model", "name", "path"), shipped_weights())
def test_cards_of_shipped_weights_are_complete(model: str, name: str, path: Path) -> None:
    """Data, hardware, time, images seen, held-out score, licence; and a row on the page."""
    card = read_record(record_path(path))
    assert len(card["about"]) > 40
    assert "BSD-3-Clause" in card["licence"]
    assert re.fullmatch(r"\d+ x .+, \d+ thread\(s\)", card["hardware"])
    assert card["seconds"] > 0
    assert card["images_seen"] > 0
    assert math.isfinite(card["score"]["held_out"])
    page = (Path(__file__).parents[1] / "docs/licences.md").read_text()
    listed = re.findall(rf"`{model}` ([a-z0-9, -]+)", page)
    assert len(listed) == len(set(listed))
    assert name in [n.strip() for names in listed for n in names.split(",")]
