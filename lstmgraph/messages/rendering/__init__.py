"""What was found in recipes, as text, as GitHub's annotations and as SARIF."""
