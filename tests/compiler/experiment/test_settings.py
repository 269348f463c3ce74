"""Names of settings and of their runs' folders."""

import re

from hypothesis import given
from hypothesis import strategies as st

from ppoc.compiler.experiment.settings import distinct, folder_name, short

FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]{0,200}")


@given(st.text(max_size=300), st.text(max_size=200), st.integers(0, 2**31 - 1))
def test_a_folder_has_a_safe_name_whatever_a_setting_is_called(setting, task, seed):
    name = folder_name(setting, task, seed)
    assert FOLDER.fullmatch(name)
    assert name.endswith(f"seed-{seed}")


@given(st.lists(st.sampled_from(["a", "A", "a+2", "A+2", "a+3", "b"]), max_size=12))
def test_no_two_folders_have_one_name_even_where_letters_have_no_case(names):
    found = distinct(names)
    assert len({name.casefold() for name in found}) == len(names)
    assert [name for name in found if "+" not in name] == [
        name for number, name in enumerate(names)
        if "+" not in name and name.casefold() not in [x.casefold() for x in names[:number]]
    ]  # fmt: skip


def test_long_names_stay_apart():
    long = "x" * 300
    assert folder_name(f"{long}1", "", 1) != folder_name(f"{long}2", "", 1)


def test_a_key_is_shortened_as_far_as_no_other_is_meant():
    keys = ["optimizer.actor.lr", "optimizer.critic.lr", "update.epochs"]
    assert [short(key, keys) for key in keys] == ["actor.lr", "critic.lr", "epochs"]
