// Where libraries of clouds find placeholders: below a path at the gateway's own name, and at the relay of an agent in its place.

export const identityHost = 'upstreamproxy.invalid';
export const identityPath = '/identity/';
export const identityUrl = `http://${identityHost}${identityPath}`;
