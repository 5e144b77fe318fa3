"""What an operation may cost, computed before it is executed.

After A. Cha, E. Wittern et al., "A principled approach to GraphQL query cost analysis" (2020). A cost is a
vector: store calls, documents and points that are read, and objects of the answer. A declaration says what
one field costs for each of its parents, or for each organization or application that the parents belong to,
because loaders read only once what is shared.

The cost of a selection is a linear function of how many there are of each (`Basis`). It is computed once
for each selection on a type, and a field composes the function of the selection below it with how its value
multiplies: 30 levels of fragments that double are 30 compositions. Amounts that depend on arguments are
functions of them, so that a formula is compiled once for an operation and evaluated for the variables of a
request.

`declarations` has the terms in which `schema/types/costs.py` declares the cost of each field, `formula`
compiles and evaluates, `paths` shows the estimate path by path, and `estimator` keeps the formulas with
their documents.
"""
