"""Plans: compiled queries, which answer all objects of a list together.

graphql-core resolves and completes each field of each object on its own. A plan does the same for all objects
at one path of the query at once:

- A field that needs nothing but its object is a column, which is the list of its values. One generated
  expression builds the response objects from the columns.
- A `batched` field is one call.
- Any other resolver is called for each object, and all calls run concurrently.

The response is exactly the one that the specification requires. Whatever a plan does not handle (a null or an
error where none is allowed, a value of an unexpected type, introspection) raises `FallBack`, and graphql-core
executes the whole query instead. Queries have no side effects and loaders cache what they loaded, so the
second execution does not repeat store calls that succeeded.

A plan holds no data of a request. It depends only on the operation and on the variables of its `@skip` and
`@include` directives.

`compiler` builds a plan from an operation, `selections` runs it, `columns` reads and completes columns, and
`completion` turns the values of leaf types into response values.
"""
