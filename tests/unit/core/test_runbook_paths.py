"""Which files a runbook's `copy` may mean: the same when it is applied and when a node is asked for one."""

import pytest

from nodeward.core import runbook_paths


@pytest.mark.parametrize(
    "template",
    ["/var/backups/db.sql", "/x", "/var/backups/{{ name }}", "/srv/{{ zone }}/{{ file }}.export", "/home/{{ user }}/.profile",
     "/var/backups/..{{ name }}x"],
)  # fmt: skip
def test_a_path_that_begins_with_a_fixed_directory_may_stand_there(template):
    assert runbook_paths.fault(template) is None


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{{ path }}", "would let a run copy any file"), ("{{ folder }}/db.sql", "write the directory first"),
        ("/{{ path }}", "must begin with a directory that is fixed"), ("/{{ a }}/{{ b }}", "directory that is fixed"),
        ("/var{{ a }}/x", "not with '/var'"), ("//{{ a }}/x", "directory that is fixed"),
        ("/./{{ a }}", "'.' and '..' are no part"), ("/var/../{{ a }}", "'.' and '..' are no part"),
        ("/etc/../shadow", "'.' and '..' are no part"), ("var/x", "absolute"), ("", "absolute"),
    ],
)  # fmt: skip
def test_another_is_refused_and_what_to_write_is_told(template, sentence):
    fault = runbook_paths.fault(template)
    assert fault is not None and sentence in fault
    assert not runbook_paths.fits(template, "/etc/shadow")


@pytest.mark.parametrize(
    ("path", "may"),
    [
        ("/var/backups/a.sql", True), ("/var/backups/.sql", False), ("/var/backups/a/b.sql", False), ("/var/a.sql", False),
        ("/var/backups/../x.sql", False), ("/var/backups/a.sql/", False), ("/etc/shadow", False),
        ("/var/backups/a.sql\n", False),
    ],
)  # fmt: skip
def test_what_is_filled_in_leads_to_no_other_directory(path, may):
    assert runbook_paths.fits("/var/backups/{{ name }}.sql", path) is may


@pytest.mark.parametrize("name", [".", ".."])
def test_what_is_filled_in_is_no_way_up(name):
    assert not runbook_paths.fits("/var/backups/{{ a }}/x", f"/var/backups/{name}/x")
    assert not runbook_paths.fits("/var/backups/{{ a }}", f"/var/backups/{name}")
