"""Many runs of one workflow that differ in a few parameters: what they are, what they share, what came of them."""
