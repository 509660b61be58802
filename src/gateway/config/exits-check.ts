// What the shape of `upstream.proxy` and `upstream.exits` cannot say.

import { isIP } from 'node:net';
import { asList } from '../../policy/schema-parts.ts';
import type { YamlPath } from '../../policy/yaml-source.ts';
import type { GatewayConfigDocument } from './config-schema.ts';

type Report = (path: YamlPath, message: string) => void;
type Upstream = NonNullable<GatewayConfigDocument['upstream']>;
type ExitDocument = NonNullable<Upstream['exits']>[string];
type ProxyDocument = Omit<NonNullable<Upstream['proxy']>, 'noProxy'> &
  Pick<NonNullable<Upstream['proxy']>, 'noProxy'>;

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Files that exits name, with their places. */
export function exitFiles(
  exits: Upstream['exits'],
): readonly { readonly paths: string | readonly string[] | undefined; readonly at: YamlPath }[] {
  const files: { paths: string | readonly string[] | undefined; at: YamlPath }[] = [];
  for (const [name, { proxy, pac }] of Object.entries(exits ?? {})) {
    const at = ['upstream', 'exits', name];
    files.push({ paths: proxy?.ca, at: [...at, 'proxy', 'ca'] });
    files.push({ paths: pac?.file, at: [...at, 'pac', 'file'] });
    for (const [i, { ca }] of (pac?.proxies ?? []).entries())
      files.push({ paths: ca, at: [...at, 'pac', 'proxies', i, 'ca'] });
  }
  return files;
}

export function checkExits(upstream: Upstream | undefined, report: Report): void {
  if (upstream?.proxy !== undefined) checkProxy(upstream.proxy, ['upstream', 'proxy'], report);
  for (const [name, exit] of Object.entries(upstream?.exits ?? {}))
    checkExit(name, exit, (below, message) => report(['upstream', 'exits', name, ...below], message));
  if (upstream?.exit === undefined) return;
  if (upstream.proxy !== undefined)
    report(['upstream', 'exit'], 'proxy says already how everything goes out; write one of the two');
  if (!Object.hasOwn(upstream.exits ?? {}, upstream.exit))
    report(['upstream', 'exit'], 'there is no exit of that name; define it under "exits"');
}

function checkExit(
  name: string,
  { proxy, pac, from, interface: device }: ExitDocument,
  report: Report,
): void {
  if (!namePattern.test(name) || name === 'direct')
    report(
      [],
      'the name of an exit is made of letters, digits, ".", "_" and "-", and is not "direct"; write another one',
    );
  if (proxy !== undefined && pac !== undefined)
    report(['pac'], 'an exit has one proxy, or a script that names some; write one of the two');
  if (from !== undefined && device !== undefined)
    report(['interface'], 'addresses come from one place; write one of from and interface');
  if ([proxy, pac, from, device].every((part) => part === undefined))
    report([], 'it says nothing; write proxy, pac, from or interface');
  if (proxy !== undefined) checkProxy(proxy, ['proxy'], report);
  for (const [i, one] of (pac?.proxies ?? []).entries()) checkProxy(one, ['pac', 'proxies', i], report);
  if (pac !== undefined && (pac.proxies ?? []).length === 0)
    report(['pac'], 'the script may name no proxy; list them under "proxies"');
  const families = asList(from).map((address) => isIP(address));
  if (families.includes(0)) report(['from'], 'not an IP address; write one that this machine has');
  else if (new Set(families).size < families.length)
    report(['from'], 'one address of each family at most; write another exit for another address');
}

function checkProxy({ url, username, source, noProxy }: ProxyDocument, at: YamlPath, report: Report): void {
  if ((username === undefined) !== (source === undefined))
    report(at, 'username and source go together; write both, or neither');
  if (!URL.canParse(url) || new URL(url).hostname === '')
    report([...at, 'url'], 'not the address of a proxy; write http://host:port');
  else if (url.startsWith('socks') && new URL(url).port === '')
    report([...at, 'url'], 'without a port; write it, such as :1080');
  for (const [i, entry] of asList(noProxy).entries()) {
    if (isIP(entry) === 0 && !/^\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i.test(entry))
      report(
        Array.isArray(noProxy) ? [...at, 'noProxy', i] : [...at, 'noProxy'],
        'not a host; write an exact name, .suffix for a name and all below it, or an IP address',
      );
  }
}
