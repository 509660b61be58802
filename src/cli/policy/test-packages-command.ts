// `upstreamproxy packages test`: whether the rule about packages of a registry is in force here, and what a client is told.

import { fetchThroughRelay } from '../../agent/caller-fetch.ts';
import { relayAddressOf } from '../../agent/doctor/examine-settings.ts';
import { parseRegistryRoot } from '../../policy/compile-packages.ts';
import { rootText } from '../../policy/package-rule.ts';
import { ProxyError } from '../../protocol/error.ts';
import { testPackageOf } from '../../understand/packages/test-package.ts';
import { versionOrders } from '../../understand/packages/version-order.ts';
import type { packagesDefinition } from '../commands/packages-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { harmlessText, jsonLine } from '../terminal/text-table.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';
import { testedPackage, type TestedPart } from './tested-package.ts';

type TestInput = Input<(typeof packagesDefinition)['actions'][4]>;

interface TestResult {
  readonly name: string;
  readonly version: string;
  /** It is the one that no rule lets through. */
  readonly isReserved: boolean;
  readonly parts: readonly TestedPart[];
}

export async function testPackagesCommand({ options }: TestInput): Promise<number> {
  const { registry, index, package: written, json } = options;
  if (registry === undefined || index === undefined)
    throw new ProxyError('usage', 'name the registry: --registry npm --index https://HOST/PATH/');
  const root = parseRegistryRoot(index);
  if (root === undefined)
    throw new ProxyError('usage', '--index is no root of a registry; write https://HOST/PATH/');
  const own = written === undefined ? undefined : versionOf(written);
  if (own !== undefined && registry !== 'oci' && !versionOrders[registry].isVersion(own.version))
    throw new ProxyError('usage', `${JSON.stringify(own.version)} is no version of ${registry}`);
  const fetch = sessionFetch(workloadEnvironment(process.env));
  const place = { registry, root };
  const results: TestResult[] = [];
  for (const [isReserved, one] of [[true, testPackageOf(registry)] as const, [false, own] as const])
    if (one !== undefined)
      results.push({ ...one, isReserved, parts: await testedPackage(place, one, fetch) });
  const works = results.every(({ isReserved, parts }) => !isReserved || parts.every(isRefused));
  const at = rootText(root);
  if (json) process.stdout.write(jsonLine({ registry, at, works, packages: results }));
  else process.stdout.write(textOf(`${registry} at ${at}`, results, works));
  return works ? 0 : 1;
}

function versionOf(written: string): { readonly name: string; readonly version: string } {
  const at = written.lastIndexOf('@');
  if (at <= 0) throw new ProxyError('usage', '--package takes NAME@VERSION');
  return { name: written.slice(0, at), version: written.slice(at + 1) };
}

type SessionFetch = (url: string, init: RequestInit) => Promise<Response>;

/** By the relay of the environment, whatever goes around it by default. @throws ProxyError usage where there is no session */
function sessionFetch(environment: Readonly<Record<string, string>>): SessionFetch {
  const proxy = environment['https_proxy'] ?? environment['HTTPS_PROXY'] ?? '';
  const bundlePath = environment['SSL_CERT_FILE'] ?? environment['NODE_EXTRA_CA_CERTS'];
  const relay = relayAddressOf(proxy);
  if (relay === undefined || bundlePath === undefined)
    throw new ProxyError(
      'usage',
      'there is no session here: run it in the environment of one, such as upstreamproxy run -- upstreamproxy packages test …',
    );
  return async (url, init) =>
    await fetchThroughRelay({ port: relay.port, noProxy: '', bundlePath }, url, init);
}

const isRefused = ({ outcome }: TestedPart): boolean => outcome.kind === 'refused';

function textOf(place: string, results: readonly TestResult[], works: boolean): string {
  const lines = results.flatMap(({ name, version, isReserved, parts }) => [
    `${name}@${version}${isReserved ? ', which no rule about packages lets through' : ''}:`,
    ...parts.map(({ part, outcome }) => `  ${part}: ${saidOf(outcome)}`),
  ]);
  const verdict = works
    ? `A rule about packages is in force for ${place}.`
    : `No rule about packages is in force for ${place}: the registry was asked for a package that each of them refuses. Another rule may allow the host.`;
  return [...lines, verdict].map((line) => `${harmlessText(line)}\n`).join('');
}

function saidOf(outcome: TestedPart['outcome']): string {
  return outcome.kind === 'refused'
    ? `refused: ${outcome.says}`
    : `passed, and the status is ${String(outcome.status)}`;
}
