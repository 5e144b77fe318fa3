"""Where data is stored. This layer knows neither GraphQL nor HTTP."""
