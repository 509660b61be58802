// Why a version of a package is let through, or not: the policy is asked as it is about the archive, and nothing else is contacted.

import { HeaderList } from '../../http/header-list.ts';
import type { CompiledPolicy } from '../../policy/compiled-policy.ts';
import type { Principal, RequestAccess } from '../../policy/decision.ts';
import { describeAccess } from '../../policy/denial.ts';
import { type Explanation, explain } from '../../policy/explain.ts';
import { formatHostPattern } from '../../policy/host-pattern.ts';
import { type RegistryRoot, sourceOf } from '../../policy/known-package.ts';
import { packageOf, rootText } from '../../policy/package-rule.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import type { PackageAdvisories } from '../../understand/packages/advisory.ts';
import { type ListedVersion, listReaderOf } from '../../understand/packages/listed-versions.ts';
import {
  type PackageRegistry,
  UnreadablePackage,
  versionText,
} from '../../understand/packages/package-request.ts';
import { nameIn } from '../../understand/packages/read-package.ts';
import { versionOrders } from '../../understand/packages/version-order.ts';
import { metadataPath } from './metadata-address.ts';

export interface AskedVersion {
  readonly registry: PackageRegistry;
  /** `lodash@4.17.21`, or a name alone. */
  readonly written: string;
  /** Where it is asked about; undefined: at every registry that the policy names. */
  readonly root: RegistryRoot | undefined;
  /** What the registry tells of the package, as it sends it. */
  readonly metadata: Uint8Array | undefined;
  /** Or when the version came out. */
  readonly publishedMs: number | undefined;
  readonly limits: Pick<Limits, 'packageVersionsMax'>;
  /** What is known against packages; undefined: nothing that can be read. */
  readonly advisories?: PackageAdvisories | undefined;
}

export interface ExplainedVersion {
  /** `https://registry.example.com/` */
  readonly at: string;
  readonly name: string;
  /** Absent where the list of its versions is asked about. */
  readonly version?: string;
  /** Where each file has its own time. */
  readonly file?: string;
  readonly publishedMs?: number;
  /** What decides is how old it is, and nobody said it. */
  readonly isAgeAwaited: boolean;
  readonly isAllowed: boolean;
  readonly explanation: Explanation;
}

/** Each version that is asked about, at each registry. @throws ProxyError usage, config_invalid */
export function explainPackage(
  policy: CompiledPolicy,
  asked: AskedVersion,
  { principal, nowMs }: { readonly principal: Principal; readonly nowMs: number },
): readonly ExplainedVersion[] {
  const { registry, written } = asked;
  const at = written.lastIndexOf('@');
  const [name, version] = at > 0 ? [written.slice(0, at), written.slice(at + 1)] : [written, undefined];
  if (version !== undefined && registry !== 'oci' && !versionOrders[registry].isVersion(version))
    throw new ProxyError('usage', `${JSON.stringify(version)} is no version of ${registry}`);
  const roots = asked.root === undefined ? registriesOf(policy, registry) : [asked.root];
  if (roots.length === 0)
    throw new ProxyError(
      'usage',
      `no rule of the policy is about one registry of ${registry}; name one by --index https://HOST/PATH/`,
    );
  const told = toldOf(asked, { name, version });
  const explained = (root: RegistryRoot, one: ListedVersion | undefined): ExplainedVersion => {
    const { advisories } = asked;
    const access = {
      ...accessOf({ registry, root, name }),
      ...(advisories === undefined ? {} : { advisories }),
    };
    const read = packageOf(access, { registry, root });
    if (read instanceof UnreadablePackage || read.name === undefined)
      throw new ProxyError('usage', `${JSON.stringify(name)} names no package of ${registry}`);
    const common = { at: rootText(root), name: read.name };
    if (one === undefined) {
      const explanation = explain(policy, { principal, access, nowMs });
      return { ...common, ...outcomeOf(explanation), isAgeAwaited: false };
    }
    const publishedMs = told.times.get(one.file ?? one.version);
    const source = sourceOf({ registry, root }, access.destination);
    const knownAs = (ms: number | undefined): Explanation => {
      const known = { source, ...one, isExplained: true, timeOf: () => ms } as const;
      const told = explain(policy, { principal, access: { ...access, package: known }, nowMs });
      return worded(told, describeAccess(access), versionText({ ...common, ...one }));
    };
    const outcome = outcomeOf(knownAs(publishedMs));
    const isAgeAwaited =
      publishedMs === undefined && !outcome.isAllowed && outcomeOf(knownAs(longAgoMs)).isAllowed;
    return {
      ...common,
      ...one,
      ...(publishedMs === undefined ? {} : { publishedMs }),
      ...outcome,
      isAgeAwaited,
    };
  };
  return roots.flatMap((root) => told.versions.map((one) => explained(root, one)));
}

/** About the version, and not about the request that stands for that of its archive. */
function worded({ decision, steps, text }: Explanation, request: string, title: string): Explanation {
  const put = (said: string): string => said.replaceAll(request, title);
  if (decision.effect === 'allow') return { decision, steps, text: put(text) };
  const { reason, operatorReason } = decision;
  return {
    decision: { ...decision, reason: put(reason), operatorReason: put(operatorReason) },
    steps,
    text: put(text),
  };
}

/** Old enough for every rule. */
const longAgoMs = 0;

const outcomeOf = (explanation: Explanation): Pick<ExplainedVersion, 'explanation' | 'isAllowed'> => ({
  explanation,
  isAllowed: explanation.decision.effect === 'allow',
});

/** Roots that rules name, and hosts of rules that have one. */
function registriesOf(policy: CompiledPolicy, registry: PackageRegistry): readonly RegistryRoot[] {
  const found = new Map<string, RegistryRoot>();
  for (const { packages, hosts, ports, schemes } of policy.rules) {
    if (packages?.registry !== registry) continue;
    const [host = '*', ...others] = hosts.map(formatHostPattern);
    const isOne = others.length === 0 && !host.includes('*');
    const scheme = schemes.has('https') ? 'https' : 'http';
    const [port = scheme === 'https' ? 443 : 80] = ports ?? [];
    const root = packages.root ?? (isOne ? ({ scheme, host, port, path: '' } as const) : undefined);
    if (root !== undefined) found.set(rootText(root), root);
  }
  return [...found.values()];
}

function accessOf({
  registry,
  root,
  name,
}: {
  readonly registry: PackageRegistry;
  readonly root: RegistryRoot;
  readonly name: string;
}): RequestAccess {
  const { scheme, host, port } = root;
  const path = metadataPath({ registry, root, name: nameIn(registry, name), written: name });
  return {
    depth: 'request',
    destination: { scheme, host, port },
    method: 'GET',
    path,
    query: '',
    headers: new HeaderList(),
  };
}

interface Told {
  /** Undefined: the list itself. */
  readonly versions: readonly (ListedVersion | undefined)[];
  readonly times: ReadonlyMap<string, number>;
}

function toldOf(
  { registry, metadata, publishedMs, limits }: AskedVersion,
  { name, version }: { readonly name: string; readonly version: string | undefined },
): Told {
  if (metadata === undefined) {
    const times = version === undefined || publishedMs === undefined ? [] : [[version, publishedMs] as const];
    return { versions: [version === undefined ? undefined : { version }], times: new Map(times) };
  }
  const bounds = { versionsMax: limits.packageVersionsMax, depthMax: defaultLimits.jsonDepthMax };
  const reader = listReaderOf(registry, bounds, nameIn(registry, name));
  if (reader === undefined) throw new ProxyError('usage', `lists of ${registry} are not read`);
  reader.push(metadata);
  const listed = reader.end(metadata);
  if (listed instanceof UnreadableBody)
    throw new ProxyError('config_invalid', `the metadata cannot be read: it ${listed.reason}`);
  const { versions, times } = listed;
  if (version === undefined) return { versions, times };
  const { compare } = versionOrders[registry];
  const found = versions.filter((one) => one.version === version || compare(one.version, version) === 0);
  if (found.length > 0) return { versions: found, times };
  throw new ProxyError('usage', `the metadata has no version ${version}`);
}
