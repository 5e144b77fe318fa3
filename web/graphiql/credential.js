// The API key or token of this tab. It is kept in the tab's own storage, which no other tab sees, and which the
// browser discards with the tab; a cookie would be sent by every tab.
const NAME = "sync-gateway-credential";
const HEADERS = ["authorization", "x-api-key"];

export const loadCredential = () => sessionStorage.getItem(NAME);

export function storeCredential(credential) {
  if (credential) sessionStorage.setItem(NAME, credential);
  else sessionStorage.removeItem(NAME);
}

// Whether the headers that a person has written for a request hold a credential of their own.
export const hasCredential = (headers) =>
  Object.keys(headers).some((name) => HEADERS.includes(name.toLowerCase()));

// The headers of a request with the credential of the tab, unless they hold one of their own.
export function addCredential(headers) {
  const credential = loadCredential();
  return credential && !hasCredential(headers)
    ? { ...headers, authorization: `Bearer ${credential}` }
    : headers;
}
