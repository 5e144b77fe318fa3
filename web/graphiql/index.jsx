import "./workers.js";
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { createRoot } from "react-dom/client";
import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import { addCredential, hasCredential, loadCredential } from "./credential.js";
import { CredentialButton, CredentialDialog, askForCredential } from "./credential-dialog.jsx";
import { examples } from "./examples.js";

const endpoint = new URL("/graphql", location.origin);

const send = (operation, headers) =>
  fetch(endpoint, {
    method: "POST",
    credentials: "same-origin",
    headers: {
      accept: "application/graphql-response+json, application/json;q=0.9",
      "content-type": "application/json",
      ...addCredential(headers),
    },
    body: JSON.stringify(operation),
  });

// Execute an operation. As long as the gateway rejects the credential, ask for another one and try again.
async function fetcher(operation, { headers = {} } = {}) {
  for (;;) {
    const sent = loadCredential();
    const response = await send(operation, headers);
    if (response.status !== 401 || hasCredential(headers)) return response.json();
    // If another request has asked meanwhile, there is a credential to try already.
    if (loadCredential() === sent && !(await askForCredential(sent))) return response.json();
  }
}

const tabs = examples.map(({ query, variables }) => ({
  query,
  variables: variables && JSON.stringify(variables, null, 2),
}));

createRoot(document.getElementById("graphiql")).render(
  <>
    <CredentialDialog />
    {/* Headers may hold credentials: they are forgotten with the page. */}
    <GraphiQL
      fetcher={fetcher}
      defaultTabs={tabs}
      shouldPersistHeaders={false}
      plugins={[HISTORY_PLUGIN, explorerPlugin()]}
    >
      <GraphiQL.Toolbar>
        {({ prettify, merge, copy }) => (
          <>
            {prettify}
            {merge}
            {copy}
            <CredentialButton />
          </>
        )}
      </GraphiQL.Toolbar>
    </GraphiQL>
  </>,
);
