// What the configuration says of the listener for clients without an agent.

import type { ProxyDocument } from './proxy-schema.ts';

export interface ProxySettings {
  readonly address: string;
  readonly port: number;
  readonly proxyProtocol: 'required' | 'refused';
}

/** None where the file has no `proxy`. */
export function proxySettings(document: ProxyDocument | undefined): { readonly proxy?: ProxySettings } {
  if (document === undefined) return {};
  const { address = '0.0.0.0', port, proxyProtocol = 'refused' } = document;
  return { proxy: { address, port, proxyProtocol } };
}
