"""Small tools of the tests."""
