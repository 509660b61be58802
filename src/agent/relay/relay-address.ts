// Where the relay of this container is, as an option or the environment says.

import { ProxyError } from '../../protocol/error.ts';

/** `http://host:port`, as the environment has it, or `host:port`. Throws usage. */
export function relayAddressOf(
  named: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly host: string; readonly port: number } {
  const text = named ?? environment['https_proxy'] ?? environment['HTTPS_PROXY'];
  if (text === undefined)
    throw new ProxyError('usage', 'no relay: name it (--relay URL), or set https_proxy to it');
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url === null || url.protocol !== 'http:' || url.hostname === '')
    throw new ProxyError('usage', 'the relay is an address of the form http://127.0.0.1:PORT');
  const port = url.port === '' ? 80 : Number(url.port);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port };
}
