import "./workers.js";
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { createRoot } from "react-dom/client";
import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import { examples } from "./examples.js";

const endpoint = new URL("/graphql", location.origin);

async function fetcher(operation, { headers = {} } = {}) {
  const response = await fetch(endpoint, {
    method: "POST",
    credentials: "same-origin",
    headers: {
      accept: "application/graphql-response+json, application/json;q=0.9",
      "content-type": "application/json",
      ...headers,
    },
    body: JSON.stringify(operation),
  });
  return response.json();
}

const tabs = examples.map(({ query, variables }) => ({
  query,
  variables: variables && JSON.stringify(variables, null, 2),
}));

createRoot(document.getElementById("graphiql")).render(
  // Headers may hold credentials: they are forgotten with the page.
  <GraphiQL
    fetcher={fetcher}
    defaultTabs={tabs}
    shouldPersistHeaders={false}
    plugins={[HISTORY_PLUGIN, explorerPlugin()]}
  />,
);
