// Where a receiver of syslog is, from what the configuration has.

/** RFC 5425 §4.1. */
const syslogPort = 6514;

/** Undefined for what is no `host`, `host:port` or `[address]:port`. */
export function syslogPlace(address: string): { readonly host: string; readonly port: number } | undefined {
  const url = `https://${address}/`;
  if (!/^[A-Za-z0-9.:[\]_-]{1,300}$/.test(address) || !URL.canParse(url)) return undefined;
  const { hostname, port } = new URL(url);
  // The usual port of the scheme is left out by the parser.
  const isHttps = port === '' && address.endsWith(':443');
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: isHttps ? 443 : Number(port === '' ? syslogPort : port),
  };
}
