import { useEffect, useRef, useState } from "react";
import { ToolbarButton, useGraphiQLActions } from "@graphiql/react";
import { loadCredential, storeCredential } from "./credential.js";

let open; // opens the dialog; it resolves to whether a credential was entered or discarded
let pending; // what several requests wait for that are rejected at the same time

// Ask for a credential in place of the one that was rejected, if any. Resolves to false if the person declines.
export function askForCredential(rejected) {
  pending ??= open({ rejected }).finally(() => (pending = undefined));
  return pending;
}

export function CredentialButton() {
  const { introspect } = useGraphiQLActions();
  return (
    <ToolbarButton
      label="API key of this tab"
      onClick={async () => {
        if (await open({ isChange: true })) introspect();
      }}
    >
      <svg className="graphiql-toolbar-icon" viewBox="0 0 16 16" fill="none" stroke="currentColor" aria-hidden="true">
        <circle cx="5" cy="11" r="3.2" strokeWidth="1.5" />
        <path d="M7.4 8.6 13.5 2.5M11 5l2 2" strokeWidth="1.5" />
      </svg>
    </ToolbarButton>
  );
}

export function CredentialDialog() {
  const dialog = useRef(null);
  const [request, setRequest] = useState(null);
  const [text, setText] = useState("");

  useEffect(() => {
    open = (options) =>
      new Promise((resolve) => {
        setText("");
        setRequest({ ...options, resolve });
      });
  }, []);
  useEffect(() => {
    if (request) dialog.current.showModal();
  }, [request]);

  function finish(isChanged) {
    dialog.current.close();
    request?.resolve(isChanged);
    setRequest(null);
    setText("");
  }

  function useText(event) {
    event.preventDefault();
    storeCredential(text.trim());
    finish(true);
  }

  function forget() {
    storeCredential(null);
    finish(true);
  }

  return (
    <dialog ref={dialog} className="credential" aria-labelledby="credential-title" onCancel={() => finish(false)}>
      <form onSubmit={useText}>
        <h1 id="credential-title">{request?.isChange ? "API key of this tab" : "This gateway asks for an API key"}</h1>
        {request?.rejected ? (
          <p role="alert">
            The gateway does not accept this key. It may be mistyped, revoked or expired. Enter another one.
          </p>
        ) : (
          <p>
            A key says who you are and which organizations you may see. A token of your identity provider works
            too.
          </p>
        )}
        <label htmlFor="credential-text">API key or token</label>
        <input
          id="credential-text"
          type="password"
          autoComplete="off"
          spellCheck="false"
          placeholder="swk_…"
          autoFocus
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <p>
          You have none? Ask whoever runs the gateway, or create one on its machine:
          <code>sync-gateway keys create NAME --role operator</code>
        </p>
        <p>The key stays in this tab. It is forgotten when you close the tab.</p>
        <div className="credential-buttons">
          {request?.isChange && loadCredential() && (
            <button type="button" onClick={forget}>
              Forget the key
            </button>
          )}
          <button type="button" onClick={() => finish(false)}>
            Not now
          </button>
          <button type="submit" disabled={!text.trim()}>
            Use this key
          </button>
        </div>
      </form>
    </dialog>
  );
}
