// Where a browser begins a log-in at the identity provider; `to` in its query is the page to come back to.

export const logInPath = '/log-in/oidc';
