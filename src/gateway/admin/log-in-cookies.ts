// The two cookies of log-in by a browser: who was sent to the identity provider, and the session.

/**
 * `__Host-` keeps them to this host and to TLS (RFC 6265bis §4.1.3). Cookies know no port, so their names have it: two gateways on one host
 * do not take each other's.
 */
export function sessionCookieName(port: number): string {
  return `__Host-upstreamproxy-${port}`;
}

export function logInCookieName(port: number): string {
  return `__Host-upstreamproxy-log-in-${port}`;
}

/** Of a request. One that stands there twice is none: whoever put the second one there must not choose. */
export function cookieOf(field: string | undefined, name: string): string | undefined {
  const values = (field ?? '').split(';').flatMap((pair) => {
    const equals = pair.indexOf('=');
    return equals > 0 && pair.slice(0, equals).trim() === name ? [pair.slice(equals + 1).trim()] : [];
  });
  return values.length === 1 ? values[0] : undefined;
}

/** Lax, so that the way back from the identity provider has them; no page but one of this origin can ask anything else with them. */
const attributes = 'Path=/; Secure; HttpOnly; SameSite=Lax';

export function cookieField(name: string, value: string, lifetimeMs: number): string {
  return `${name}=${value}; ${attributes}; Max-Age=${Math.floor(lifetimeMs / 1000)}`;
}

export function endedCookieField(name: string): string {
  return `${name}=; ${attributes}; Max-Age=0`;
}
