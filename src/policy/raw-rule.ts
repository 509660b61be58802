// The rule that would let raw TCP through to a host and port: what a refusal says, and what `policy learn` proposes.

import { parseNetwork, refusedNetwork } from './network.ts';

/** Of the characters and the length that names of rules have. */
export function rawRuleName(host: string, port: number): string {
  const plain = host.replaceAll(/[^a-zA-Z0-9]+/g, '-').replace(/^-/, '');
  return `${plain === '' ? 'host' : plain.slice(0, 48)}-tcp-${String(port)}`;
}

/** One line of YAML. A host that is an address of a private network has to be opened by `addresses` too. */
export function rawRule(host: string, port: number): string {
  const shown = /^[\w.-]+$/.test(host) ? host : JSON.stringify(host);
  const network = parseNetwork(host);
  const isPrivate = typeof network !== 'string' && refusedNetwork(network) === undefined;
  const addresses = isPrivate ? `, addresses: ${JSON.stringify(network.text)}` : '';
  return `{ name: ${rawRuleName(host, port)}, hosts: ${shown}, scheme: tcp, ports: ${String(port)}${addresses} }`;
}
