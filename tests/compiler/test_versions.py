"""Specs and locks say their version: newer ones are refused, older ones migrate."""

from dataclasses import replace

import pytest

from ppoc.compiler.front import merge as overlay
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.front.merge import LANGUAGE, LOCK
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.versions import Format, VersionError
from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve, resolve_text

SPEC = "ppoc: 1\nalgorithm: ppo\nenv: {id: CartPole-v1, backend: gymnasium}\n"


def problems(text):
    with pytest.raises(SpecError) as caught:
        resolve_text(text, "spec.yaml")
    return caught.value.diagnostics


@pytest.mark.parametrize("version", [2, 10**30])
def test_a_newer_language_is_the_only_problem(version):
    """The rest of the spec is not judged by a language that it is not in."""
    text = SPEC.replace("ppoc: 1", f"ppoc: {version}") + "new: true\nupdate: {epochs: 0}\n"
    (found,) = problems(text)
    assert found.code == "E015"
    assert "is of a newer ppoc" in found.message
    assert "pip install --upgrade ppoc" in found.help


def test_a_newer_lock_is_refused(compiled_of):
    text = compiled_of("ppo/cartpole").lock
    assert "  format: 1\n" in text
    (found,) = problems(text.replace("  format: 1\n", "  format: 2\n  signed: yes\n"))
    assert (found.code, found.span.text) == ("E015", "  format: 2")
    assert "lock format 2 is of a newer ppoc" in found.message


def test_what_a_spec_extends_has_a_version_too(tmp_path):
    (tmp_path / "base.yaml").write_text("ppoc: 2\n")
    (tmp_path / "spec.yaml").write_text(SPEC + "extends: base.yaml\n")
    with pytest.raises(SpecError) as caught:
        resolve(tmp_path / "spec.yaml")
    (found,) = caught.value.diagnostics
    assert (found.code, found.span.source) == ("E015", str(tmp_path / "base.yaml"))


def renamed(document):
    """A migration: what was `gym` is `env`."""
    value = {("env" if key == "gym" else key): node for key, node in document.value.items()}
    return replace(document, value=value)


def test_an_older_language_migrates(monkeypatch, tmp_path):
    """Values keep their places, also in what a spec extends."""
    language = Format("spec language", 1, {0: renamed})
    monkeypatch.setattr(overlay, "LANGUAGE", language)
    old = SPEC.replace("ppoc: 1", "ppoc: 0").replace("env:", "gym:")
    resolved = resolve_text(old, "spec.yaml")
    assert resolved.spec == resolve_text(SPEC, "spec.yaml").spec
    assert resolved.origin(("env", "id")).label() == "spec.yaml:3"
    (tmp_path / "base.yaml").write_text(old)
    (tmp_path / "spec.yaml").write_text("ppoc: 1\nextends: base.yaml\n")
    assert resolve(tmp_path / "spec.yaml").spec.env.id == "CartPole-v1"


def test_an_older_lock_becomes_a_current_one(monkeypatch, compiled_of):
    def named(document):
        lock = document.value["lock"]
        lock = replace(lock, value={**lock.value, "versions": Node({"ppoc": Node("0.0.1")})})
        return replace(document, value={**document.value, "lock": lock})

    current = compiled_of("ppo/cartpole")
    monkeypatch.setattr(overlay, "LOCK", Format("lock format", 1, {0: named}))
    old = current.lock.replace("  format: 1\n", "  format: 0\n")
    compiled = compile_spec(resolve_text(old, "spec.lock.yaml"))
    assert compiled.module == current.module
    assert "  format: 1\n" in compiled.lock


@pytest.mark.parametrize("found", [True, None, "1", 1.0, 0, -1, 4])
def test_what_is_no_version_is_refused(found):
    form = Format("thing", 3, {1: lambda x: x, 2: lambda x: x})
    with pytest.raises(VersionError, match="thing"):
        form.current("document", found)


def test_migrations_follow_each_other():
    form = Format("thing", 3, {1: lambda x: f"{x}, then", 2: lambda x: f"{x} again"})
    assert [form.current("this", n) for n in (1, 2, 3)] == [
        "this, then again",
        "this again",
        "this",
    ]


def test_the_versions_that_are_written_are_the_current_ones(compiled_of):
    lock = compiled_of("ppo/cartpole").lock
    assert f"\nppoc: {LANGUAGE.version}  #" in lock
    assert f"\n  format: {LOCK.version}\n" in lock


@pytest.mark.parametrize("repository", [True, False])
def test_a_spec_extends_files_of_its_folder_or_repository_only(tmp_path, repository):
    home = tmp_path / "repository"
    (home / "specs").mkdir(parents=True)
    if repository:
        (home / ".git").mkdir()
    for folder in (tmp_path, home, home / "specs"):
        (folder / "base.yaml").write_text(SPEC)
    (home / "specs" / "link.yaml").symlink_to(tmp_path / "base.yaml")
    (home / "specs" / "inner.yaml").symlink_to("base.yaml")
    allowed = {"base.yaml": True, "./base.yaml": True, "../specs/base.yaml": True}
    allowed |= {"inner.yaml": True, "../base.yaml": repository, "../../base.yaml": False}
    allowed |= {"link.yaml": False, str(home / "specs" / "base.yaml"): False, "/etc/a.yaml": False}
    spec = home / "specs" / "spec.yaml"
    for name, fine in allowed.items():
        spec.write_text(f"extends: {name}\n")
        if fine:
            assert resolve(spec).spec.env.id == "CartPole-v1"
            continue
        with pytest.raises(SpecError, match="E017: `extends` leads out of the spec's folder"):
            resolve(spec)


def test_a_chain_stays_in_the_folder_of_its_first_spec(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "spec.yaml").write_text("extends: a/middle.yaml\n")
    (tmp_path / "base.yaml").write_text(SPEC)
    (tmp_path / "a" / "middle.yaml").write_text("extends: ../base.yaml\n")
    assert resolve(tmp_path / "spec.yaml").spec.env.id == "CartPole-v1"
    with pytest.raises(SpecError, match="leads out"):
        resolve(tmp_path / "a" / "middle.yaml")
