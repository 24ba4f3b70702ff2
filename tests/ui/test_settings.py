"""Preferences outlast the program, and a damaged file does not keep it from starting."""

import json

from ui.settings import Preferences, Settings, settings_folder


def test_what_was_chosen_is_there_at_the_next_start(tmp_path):
    path = tmp_path / "denoodle" / "settings.json"
    Settings(path).change(theme="Light", text_scale=1.4, keys={"file.new": "Ctrl+T"})
    assert Settings(path).now == Preferences(theme="Light", text_scale=1.4, keys={"file.new": "Ctrl+T"})


def test_the_file_of_another_version_keeps_what_both_know(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"theme": "High contrast", "hologram": True}))
    assert Settings(path).now == Preferences(theme="High contrast")


def test_a_file_that_cannot_be_read_is_put_aside_with_a_sentence(tmp_path):
    for text in ("{", "[1]", '{"text_scale": "large"}', '{"text_scale": NaN}', '{"keys": {"file.new": 3}}'):
        path = tmp_path / "settings.json"
        path.write_text(text)
        settings = Settings(path)
        assert settings.now == Preferences()
        assert "settings.json" in settings.complaint
        assert (tmp_path / "settings.unreadable").read_text() == text
        assert not path.exists()


def test_a_change_is_told_once(tmp_path, qtbot):
    settings = Settings()
    with qtbot.waitSignal(settings.changed):
        settings.change(live=True)
    with qtbot.assertNotEmitted(settings.changed):
        settings.change(live=True)


def test_the_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("DENOODLE_CONFIG", str(tmp_path))
    assert settings_folder() == tmp_path


def test_what_cannot_be_written_holds_and_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    settings = Settings(tmp_path / "file" / "settings.json")
    said: list[str] = []
    settings.troubled.connect(said.append)
    settings.change(theme="Light")
    assert settings.now.theme == "Light"
    assert "settings.json" in said[0]
