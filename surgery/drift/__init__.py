"""How far the numbers of a rewritten model moved: inputs, paired runs, metrics, judgement."""
