// The package that a request is about, for those who act on the decision.

import {
  type PackageRegistry,
  type PackageRequest,
  UnreadablePackage,
} from '../understand/packages/package-request.ts';
import type { AccessRequest, AllowDecision, DecidedPackage, RequestAccess } from './decision.ts';
import { advisoryAgainst, bothKeepBack, type KeepingBack, looksAtAdvisories } from './package-advisories.ts';
import { type PackageIntegrity, stricterIntegrity } from './package-integrity.ts';
import {
  hidesVersions,
  judgedProvenance,
  maturesAtMs,
  type PackageMismatch,
  packageOf,
  publishedBy,
} from './package-rule.ts';
import type { Mismatch, Rule } from './rule.ts';

const none = {};

/** Whether the rule is about packages and for this destination, be it for this package or not. */
export const seesPackage = ({ packages }: Rule, mismatch: Mismatch | undefined): boolean =>
  packages !== undefined && (mismatch === undefined || packageMismatches.has(mismatch));

const packageMismatches: ReadonlySet<Mismatch> = new Set<PackageMismatch>([
  'packages',
  'advisory',
  'age',
  'provenance',
  'unread-publication',
]);

/** By the first of the rules about packages that are for this destination. */
export function decidedPackage(
  {
    allow,
    seesPackages,
  }: { readonly allow: Rule | undefined; readonly seesPackages: readonly Rule[] | undefined },
  access: AccessRequest,
  nowMs: number,
): Pick<AllowDecision, 'package' | 'registryFile'> {
  if (seesPackages === undefined) return none;
  // Those by which it is allowed come first.
  const all = allow?.packages === undefined ? seesPackages : [allow, ...seesPackages];
  if (access.depth === 'connect') return none;
  const published = publishedPackage(all, access);
  if (published !== undefined) return published;
  // What is published says nothing of what is fetched.
  const rules = all.filter(({ packages }) => packages?.publish === undefined);
  const [first] = rules;
  if (first?.packages === undefined) return none;
  const { registry, root } = first.packages;
  const read = packageOf(access, first.packages);
  if (read instanceof UnreadablePackage) return none;
  if (read.name === undefined)
    return allow !== undefined && read.use === 'registry' && registry === 'cargo'
      ? { registryFile: { registry, root } }
      : none;
  const { use, name, written, version, file, promisedAs, digest } = read;
  const isList = use === 'metadata' && version === undefined && read.isIndirect !== true;
  const hides =
    isList &&
    rules.some(({ packages, effect }) => packages?.registry === registry && hidesVersions(packages, effect));
  const keptUntilMs = (file ?? version) === undefined ? undefined : maturesAtMs(first.packages, access);
  const minAgeMs = Math.max(...rules.map(({ packages }) => packages?.minAgeMs ?? 0));
  return {
    package: {
      registry,
      root,
      name,
      ...(written === undefined ? {} : { written }),
      ...(version === undefined ? {} : { version }),
      ...(file === undefined ? {} : { file }),
      ...(promisedAs === undefined ? {} : { promisedAs }),
      ...(digest === undefined ? {} : { digest }),
      ...(hides ? { hides: true } : {}),
      ...(use === 'archive' ? { isArchive: true } : {}),
      ...(keptUntilMs === undefined ? {} : { publishedMs: keptUntilMs - first.packages.minAgeMs }),
      ...(keptUntilMs !== undefined && keptUntilMs > nowMs ? { keptUntilMs } : {}),
      ...(minAgeMs > 0 ? { minAgeMs } : {}),
      ...lookedFor(rules, registry),
      ...keptBack(rules, read, access, nowMs),
      ...(rules.some(({ packages }) => packages?.provenance !== undefined) ? { wantsProvenance: true } : {}),
      ...attestedBy(allow, rules, access),
    },
  };
}

/** What rules about the registry ask of its archives. */
function lookedFor(
  rules: readonly Rule[],
  registry: PackageRegistry,
): Pick<DecidedPackage, 'integrity' | 'tellsScripts'> {
  const integrity = rules.reduce<PackageIntegrity | undefined>(
    (one, { packages }) =>
      packages?.registry === registry ? stricterIntegrity(one, packages.integrity) : one,
    undefined,
  );
  const tellsScripts = rules.some(
    ({ packages }) => packages?.registry === registry && packages.tellsScripts === true,
  );
  return {
    ...(integrity === undefined ? {} : { integrity }),
    ...(tellsScripts ? { tellsScripts: true } : {}),
  };
}

/** Undefined: nothing is published, as each of the rules reads it. */
function publishedPackage(
  rules: readonly Rule[],
  access: RequestAccess,
): Pick<AllowDecision, 'package'> | undefined {
  for (const { packages } of rules) {
    const read = packages === undefined ? undefined : packageOf(access, packages);
    if (packages === undefined || read === undefined || read instanceof UnreadablePackage) continue;
    if (read.use !== 'publish') continue;
    const said = publishedBy(packages, access);
    const isKnown = said !== undefined && !(said instanceof UnreadablePackage) && said.awaits !== true;
    const { registry, root } = packages;
    const { name, version, operation, digest } = isKnown ? said : read;
    if (name === undefined) return none;
    return {
      package: {
        registry,
        root,
        name,
        ...(version === undefined ? {} : { version }),
        ...(operation === undefined ? {} : { operation }),
        ...(digest === undefined || !isKnown ? {} : { publishes: digest }),
      },
    };
  }
  return undefined;
}

/** By the rule that lets it through; where none does, by any of those that could have. */
function attestedBy(
  allow: Rule | undefined,
  rules: readonly Rule[],
  access: RequestAccess,
): Pick<DecidedPackage, 'attested' | 'isUnattested'> {
  if (access.provenance === undefined) return none;
  const looking = (allow === undefined ? rules : [allow]).flatMap(({ packages }) =>
    packages?.provenance === undefined ? [] : [judgedProvenance(packages, access)],
  );
  if (looking.some((one) => one !== undefined && 'why' in one)) return { isUnattested: true };
  const [judged] = looking;
  const digests = judged !== undefined && 'digests' in judged ? judged.digests : 'not-known-yet';
  return allow === undefined || digests === 'not-known-yet' ? none : { attested: digests };
}

/** By all of the rules: what an advisory keeps back by one that denies is told like that of one that allows. */
function keptBack(
  rules: readonly Rule[],
  { name = '', version }: PackageRequest,
  { advisories }: RequestAccess,
  nowMs: number,
): Pick<DecidedPackage, 'keepsBack' | 'advisory'> {
  const judging = rules.flatMap(({ packages }) =>
    packages !== undefined && looksAtAdvisories(packages) ? [packages] : [],
  );
  const keepsBack = judging
    .map(({ advisoriesFrom, deniesMalware }): KeepingBack => ({ advisoriesFrom, deniesMalware }))
    .reduce<KeepingBack | undefined>(bothKeepBack, undefined);
  if (keepsBack === undefined) return none;
  const found =
    version === undefined
      ? undefined
      : judging
          .map((one) => advisoryAgainst(one, { name, version }, advisories, nowMs))
          .find((one) => one !== undefined);
  return { keepsBack, ...(found === undefined ? {} : { advisory: found }) };
}
