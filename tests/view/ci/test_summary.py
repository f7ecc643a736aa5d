"""Markdown that says what it was given."""

from companyos_canary.view.ci.summary import of_sentence


def test_words_of_the_cluster_are_text_and_nothing_else() -> None:
    said = of_sentence("a|b <img> [x](y) `c` *d* &amp; #1\n# e", "see `canary get`")
    assert said == ("### a\\|b \\<img\\> \\[x\\](y) \\`c\\` \\*d\\* \\&amp; \\#1 \\# e\n\nsee \\`canary get\\`\n")
