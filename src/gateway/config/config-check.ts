// What the shape of a configuration cannot say: keys that go together, addresses, names.

import { checkExits } from './exits-check.ts';
import { splitNumber } from '../../http/digits-at-end.ts';
import { isIP } from 'node:net';
import type { YamlPath } from '../../policy/yaml-source.ts';
import { classifyAddress } from '../../net/address-guard.ts';
import { networkList } from '../admission/networks.ts';
import { checkCredentials, namePattern } from '../credentials/credential-check.ts';
import { checkCacheBucket } from './cache-bucket-settings.ts';
import type { GatewayConfigDocument } from './config-schema.ts';
import { checkDeciders } from './deciders-settings.ts';
import { checkOidc } from './oidc-settings.ts';
import { storeUrlOf } from './store-settings.ts';
import { postgresUrlProblem } from '../../store/postgres/postgres-address.ts';
import { asList } from '../../policy/schema-parts.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** What the kernel shows for an id that this user namespace has no name for: many can be behind it. */
export const overflowUid = 65_534;

type Report = (path: YamlPath, message: string) => void;

/** What the shape of the document cannot say: keys that go together, addresses, names. */
export function checkConfigDocument(document: GatewayConfigDocument, report: Report): void {
  if (document.listen?.address !== undefined && isIP(document.listen.address) === 0) {
    report(['listen', 'address'], 'not an IP address; write one to listen on, such as 0.0.0.0 or ::');
  }
  checkWorkers(document, report);
  checkPorts(document, report);
  checkProxyPort(document, report);
  checkProxies(document, report);
  checkStore(document, report);
  checkIdentity(document, report);
  checkCredentials(document.credentials ?? {}, report);
  checkNames('canaries', 'a canary', document, report);
  checkNames('trust', 'a trust', document, report);
  checkNames('deciders', 'a decider', document, report);
  checkDeciders(document.deciders, report);
  for (const [name, { command, file }] of Object.entries(document.discover ?? {})) {
    if ((command === undefined) === (file === undefined))
      report(['discover', name], 'hosts come from one place; write exactly one of command and file');
  }
  checkIssuers(document, report);
  checkAdmin(document, report);
  checkOidc(document, report);
  checkPeers(document, report);
  checkCacheBucket(document.cache?.bucket, report);
  checkExits(document.upstream, report);
  for (const [i, address] of asList(document.upstream?.resolvers).entries()) {
    const bare = isIP(address) === 6 ? address : withoutPort(address);
    const at = Array.isArray(document.upstream?.resolvers)
      ? ['upstream', 'resolvers', i]
      : ['upstream', 'resolvers'];
    if (isIP(bare) === 0) report(at, 'not an address of a name server; write an IP address, or address:port');
  }
  for (const [host, addresses] of Object.entries(document.upstream?.hosts ?? {})) {
    const isBad = asList(addresses).some((address) => isIP(address) === 0);
    if (isBad)
      report(['upstream', 'hosts', host], 'not an IP address; names are mapped to addresses, not to names');
    if (host !== host.toLowerCase() || host.endsWith('.') || host.includes('*')) {
      report(
        ['upstream', 'hosts', host],
        'not a canonical name; write it in lower case, without a dot at the end or a wildcard',
      );
    }
  }
}

/** Keys and authorities are in one place. */
function checkNames(
  key: 'canaries' | 'trust' | 'deciders',
  what: string,
  document: GatewayConfigDocument,
  report: Report,
): void {
  for (const name of Object.keys(document[key] ?? {})) {
    if (!namePattern.test(name))
      report(
        [key, name],
        `the name of ${what} is made of letters, digits, ".", "_" and "-"; write a shorter, plainer one`,
      );
  }
}

function checkIdentity(
  { identity, certificateAuthority, store, tls }: GatewayConfigDocument,
  report: Report,
): void {
  if (tls === 'store' && identity?.store !== true)
    report(['tls'], 'the certificate is where the identity is; write identity: { store: true, … } too');
  checkSignedBy(certificateAuthority, report);
  if (identity === undefined) return;
  const { directory, store: isStored, keyEncryptionKey, nextKeyEncryptionKey } = identity;
  const at = ['identity'];
  if ((directory === undefined) === (isStored === undefined))
    report(at, 'keys and authorities are in one place; write exactly one of directory and store');
  if (isStored === undefined) {
    if (keyEncryptionKey !== undefined)
      report(
        [...at, 'keyEncryptionKey'],
        'this opens what is in the store; write store: true too, or leave it away',
      );
    if (nextKeyEncryptionKey !== undefined)
      report(
        [...at, 'nextKeyEncryptionKey'],
        'this opens what is in the store; write store: true too, or leave it away',
      );
    return;
  }
  if (keyEncryptionKey === undefined)
    report(
      at,
      'what is in the store is sealed; write keyEncryptionKey: { file: path } with 32 random octets, as "openssl rand -base64 32" prints them',
    );
  for (const key of ['directory', 'passphrase', 'separateProcess'] as const)
    if (certificateAuthority?.[key] !== undefined)
      report(
        ['certificateAuthority', key],
        'the authority is in the store (identity), sealed; leave this away',
      );
  if (storeUrlOf(store) === 'sqlite::memory:')
    report([...at, 'store'], 'a store in memory loses them at each start; name a store that lasts');
}

/** Its authority is in no folder then. */
function checkSignedBy(authority: GatewayConfigDocument['certificateAuthority'], report: Report): void {
  if (authority?.signedBy === undefined) return;
  for (const key of ['directory', 'passphrase'] as const)
    if (authority[key] !== undefined)
      report(
        ['certificateAuthority', key],
        'with signedBy the key of the authority is in no file; leave this away',
      );
}

/** Who may steer the gateway, and from where. */
function checkAdmin(document: GatewayConfigDocument, report: Report): void {
  const { admin } = document;
  if (admin?.socketRoles?.[String(overflowUid)] !== undefined)
    report(
      ['admin', 'socketRoles', String(overflowUid)],
      'the kernel shows this id for every user that it has no name for; give a role to a user of its own',
    );
  for (const name of ['admin', 'callbacks'] as const) {
    const place = document[name]?.listen;
    if (place !== undefined) checkOperatorPort([name, 'listen'], place, { document, report });
  }
}

/** A port that is not for workloads: never in the clear beyond this machine, and never that of something else. */
function checkOperatorPort(
  at: YamlPath,
  {
    address = '127.0.0.1',
    port,
    certificate,
    key,
  }: NonNullable<GatewayConfigDocument['callbacks']>['listen'],
  {
    document: { listen, metrics, admin },
    report,
  }: { readonly document: GatewayConfigDocument; readonly report: Report },
): void {
  if (isIP(address) === 0)
    report([...at, 'address'], 'not an IP address; write one to listen on, such as 127.0.0.1');
  else if (certificate === undefined && classifyAddress(address) !== 'loopback')
    report(
      at,
      'tokens would pass in the clear; write certificate and key, or listen on 127.0.0.1 behind a proxy of yours',
    );
  if ((certificate === undefined) !== (key === undefined))
    report(at, 'certificate and key go together; write both, or neither');
  const { address: open = '0.0.0.0', port: openPort = 8443 } = listen ?? {};
  for (const [what, other, otherPort] of [
    ['listen', open, openPort],
    ['metrics', metrics?.address ?? '127.0.0.1', metrics?.port],
    // Told at the one of both that is not the admin API's.
    ...(at[0] === 'admin'
      ? []
      : [['admin', admin?.listen?.address ?? '127.0.0.1', admin?.listen?.port] as const]),
  ] as const)
    if (port !== 0 && port === otherPort && meet(address, other))
      report([...at, 'port'], `port ${port} is that of "${what}" already; write another one`);
}

/** Other gateways: the port is for them alone, and they have to find it. */
function checkPeers(
  { peers, listen, metrics, admin, workers = 1 }: GatewayConfigDocument,
  report: Report,
): void {
  if (peers === undefined) return;
  const at = ['peers', 'listen'];
  const { address, port } = peers.listen;
  if (isIP(address) === 0) return report([...at, 'address'], 'not an IP address; write one to listen on');
  if (peers.host === undefined && ['0.0.0.0', '::'].includes(address))
    report(['peers'], 'no other gateway can connect to this address; write host, by which they reach it');
  if (port === 0) return;
  const last = port + (workers === 'auto' ? defaultLimits.workersMax : workers) - 1;
  if (last > 65_535)
    report([...at, 'port'], 'each worker has a port of its own, from this one on; write a lower one');
  const { address: open = '0.0.0.0', port: openPort = 8443 } = listen ?? {};
  for (const [what, other, otherPort = 0] of [
    ['listen', open, openPort],
    ['metrics', metrics?.address ?? '127.0.0.1', metrics?.port],
    ['admin.listen', admin?.listen?.address ?? '127.0.0.1', admin?.listen?.port],
  ] as const)
    if (otherPort >= port && otherPort <= last && meet(address, other))
      report([...at, 'port'], `port ${otherPort} is that of "${what}" already; write another one`);
}

/** Whether two listeners on one port would be in each other's way. */
function meet(one: string, other: string): boolean {
  return one === other || [one, other].some((address) => address === '0.0.0.0' || address === '::');
}

function checkWorkers({ workers = 1, store, admin, metrics }: GatewayConfigDocument, report: Report): void {
  if (workers === 1) return;
  if (storeUrlOf(store) === 'sqlite::memory:')
    report(
      ['workers'],
      'each worker would have a store in memory of its own; write sqlite:path under store, or workers: 1',
    );
  if (admin?.listen?.port === 0)
    report(['admin', 'listen', 'port'], 'every worker has to know the port; write one, or workers: 1');
  if (metrics?.address !== undefined && isIP(metrics.address) === 0)
    report(
      ['metrics', 'address'],
      'every worker has to know the address; write an IP address, such as 127.0.0.1, or workers: 1',
    );
}

/** Of two with the same name one would never be asked: its audience, keys and algorithms would not count. */
function checkIssuers({ issuers = [], tokens, publicNames }: GatewayConfigDocument, report: Report): void {
  const own = tokens?.issuer ?? `https://${asList(publicNames)[0] ?? 'localhost'}`;
  for (const [i, { issuer }] of issuers.entries()) {
    const at = ['issuers', i, 'issuer'];
    if (issuer === own)
      report(at, 'the gateway itself issues tokens by this name; write another tokens.issuer');
    if (issuers.findIndex((one) => one.issuer === issuer) < i)
      report(at, 'this issuer stands above already; keep one of the two');
  }
}

/** Two listeners cannot have one port, and what the gateway tells of itself is not for the public. */
function checkPorts({ listen, metrics }: GatewayConfigDocument, report: Report): void {
  if (metrics === undefined) return;
  const { address = '0.0.0.0', port = 8443 } = listen ?? {};
  const { address: own = '127.0.0.1' } = metrics;
  const isEverywhere = [address, own].some((one) => one === '0.0.0.0' || one === '::');
  if (metrics.port === port && (isEverywhere || address === own))
    report(['metrics', 'port'], `port ${port} is that of "listen" already; write another one`);
}

/** Clients without an agent have a port that nothing else has. */
function checkProxyPort(document: GatewayConfigDocument, report: Report): void {
  const { proxy, listen, metrics, admin, callbacks, trustedProxies } = document;
  if (proxy === undefined) return;
  const { address = '0.0.0.0', port } = proxy;
  if (isIP(address) === 0)
    report(['proxy', 'address'], 'not an IP address; write one to listen on, such as 0.0.0.0 or ::');
  if (proxy.proxyProtocol === 'required' && asList(trustedProxies).length === 0)
    report(
      ['proxy', 'proxyProtocol'],
      'a PROXY head is believed from trustedProxies alone; name the networks of the balancers there',
    );
  for (const [what, other, otherPort] of [
    ['listen', listen?.address ?? '0.0.0.0', listen?.port ?? 8443],
    ['metrics', metrics?.address ?? '127.0.0.1', metrics?.port],
    ['admin', admin?.listen?.address ?? '127.0.0.1', admin?.listen?.port],
    ['callbacks', callbacks?.listen.address ?? '127.0.0.1', callbacks?.listen.port],
  ] as const)
    if (port !== 0 && port === otherPort && meet(address, other))
      report(['proxy', 'port'], `port ${port} is that of "${what}" already; write another one`);
}

/** Balancers before the gateway. */
function checkProxies(document: GatewayConfigDocument, report: Report): void {
  for (const [i, network] of asList(document.trustedProxies).entries()) {
    if (networkList([network]) !== undefined) continue;
    const at = Array.isArray(document.trustedProxies) ? ['trustedProxies', i] : ['trustedProxies'];
    report(at, 'not a network; write an IP address, or one with the length of a prefix, such as 10.0.0.0/8');
  }
  if (document.listen?.proxyProtocol === 'required' && asList(document.trustedProxies).length === 0) {
    report(
      ['listen', 'proxyProtocol'],
      'a PROXY head is believed from trustedProxies alone; name the networks of the balancers there',
    );
  }
}

function checkStore({ store }: GatewayConfigDocument, report: Report): void {
  const url = storeUrlOf(store) ?? '';
  const at = typeof store === 'object' ? ['store', 'url'] : ['store'];
  if (url.startsWith('sqlite:')) {
    if (typeof store === 'object' && Object.keys(store).length > 1)
      report(['store'], 'a file takes no password and no certificate; write store: sqlite:path');
    return;
  }
  if (url === '') return;
  if (hasPassword(url)) {
    report(at, 'the URL has a password; a secret never stands in this file: write store: { url, source }');
    return;
  }
  const problem = postgresUrlProblem(url);
  if (problem !== undefined) report(at, problem);
}

/** Of a URL of PostgreSQL, between its scheme and its path. */
function hasPassword(store: string): boolean {
  const scheme = ['postgres://', 'postgresql://'].find((start) => store.startsWith(start));
  if (scheme === undefined) return false;
  const authority = store.slice(scheme.length).split('/', 1)[0] ?? '';
  const colon = authority.indexOf(':');
  return colon >= 0 && authority.lastIndexOf('@') > colon;
}

/** The address of `address:port` and of `[address]:port`. */
function withoutPort(address: string): string {
  const host = splitNumber(address, ':')?.before ?? address;
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}
