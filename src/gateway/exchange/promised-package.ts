// What is promised of an archive before it is fetched: by its address, by what its registry tells, or by files beside it.

import type { DecidedPackage, RequestAccess } from '../../policy/decision.ts';
import { sourceOf } from '../../policy/known-package.ts';
import { ProxyError } from '../../protocol/error.ts';
import { type PackageRegistry, versionText } from '../../understand/packages/package-request.ts';
import { agedAs, askedOf, type PromisedPackage } from '../packages/asked-package.ts';
import type { ToldVersions } from '../packages/publish-times.ts';
import { type Asking, questionFor } from './ask-registry.ts';
import { askTimes } from './ask-times.ts';
import { isToldOfScripts } from './install-scripts.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import { promisedBeside } from './promised-beside.ts';
import { promisedSum } from './promised-sums.ts';
import { accountsOf } from './spending-accounts.ts';

/**
 * What metadata that was read promises of what is delivered, and where it was read. @throws ProxyError policy_denied where a rule requires a promise
 * and there is none, or what it judged was published again
 */
export async function promisedPackage(
  fetched: DecidedPackage,
  access: RequestAccess,
  asking: Asking,
  parts: ExchangeParts,
): Promise<PromisedPackage | undefined> {
  if (fetched.digest !== undefined) return { digest: fetched.digest, asked: askedOf(fetched, access, []) };
  // A tag that moved meanwhile names another image than the one that was judged.
  const judged = access.package?.promised;
  if (judged !== undefined) return { digest: judged, asked: askedOf(fetched, access, []) };
  const told = await toldPromise(fetched, access, asking, parts);
  const promised = isAttestedAs(fetched) ? attestedPromise(fetched, access, told) : told;
  if (promised !== undefined && isOfLater(promised, fetched, access)) throw publishedAgain(fetched);
  if (promised === undefined && fetched.integrity === 'required' && isDelivered(fetched))
    throw unpromised(fetched);
  return promised;
}

/** What attestations are about is the archive, and nothing beside it. */
const isAttestedAs = ({ attested, promisedAs, ...fetched }: DecidedPackage): boolean =>
  attested !== undefined && promisedAs === agedAs(fetched);

/** What comes has to be what was attested, and what the registry promises has to be that too. @throws ProxyError policy_denied */
function attestedPromise(
  fetched: DecidedPackage,
  access: RequestAccess,
  told: PromisedPackage | undefined,
): PromisedPackage {
  const { attested = [] } = fetched;
  const [only, ...others] = attested;
  if (told !== undefined && attested.includes(told.digest)) return told;
  const isOfOtherKind = told === undefined || kindOf(told.digest) !== kindOf(only ?? '');
  if (only === undefined || others.length > 0 || !isOfOtherKind)
    throw new ProxyError(
      'policy_denied',
      `what is attested of ${versionText(fetched)} of ${fetched.registry} is another archive than the registry promises, and the rule requires provenance`,
    );
  return { ...(told ?? { asked: askedOf(fetched, access, []) }), digest: only };
}

const kindOf = (digest: string): string => digest.slice(0, digest.indexOf('-'));

async function toldPromise(
  fetched: DecidedPackage,
  access: RequestAccess,
  asking: Asking,
  parts: ExchangeParts,
): Promise<PromisedPackage | undefined> {
  const { promisedAs, registry } = fetched;
  if (promisedAs === undefined) return undefined;
  const ask = { access, asking, parts };
  if (registry === 'go') return await promisedSum(fetched, promisedAs, ask, isAskedFirst(fetched));
  if (registry === 'maven')
    return isAskedFirst(fetched) ? await promisedBeside(fetched, promisedAs, ask) : undefined;
  const question = questionFor(fetched, ask);
  if (question === undefined) return undefined;
  const { asked } = question;
  const told = async (): Promise<ToldVersions | undefined> => await askTimes(question, asking, parts);
  const keys = { promisedAs, version: agedAs(fetched) };
  const promise = await parts.publishTimes.promiseOf(asked, keys, told, isAskedFirst(fetched));
  return promise && { ...promise, asked };
}

/** What was judged came out before what is promised now: it was published again since. */
export function isOfLater(
  { publishedMs }: PromisedPackage,
  fetched: DecidedPackage,
  { package: known, destination }: RequestAccess,
): boolean {
  if (
    known === undefined ||
    fetched.minAgeMs === undefined ||
    // A checksum database never takes back what it promised.
    fetched.registry === 'go' ||
    known.source !== sourceOf(fetched, destination)
  )
    return false;
  const judgedMs = known.timeOf(agedAs(fetched));
  return judgedMs !== undefined && (publishedMs === undefined || publishedMs > judgedMs);
}

/** By its name a registry of images promises what an address does not, and one of Go nothing that it could be asked for. */
const promisesFirst = (registry: PackageRegistry): boolean => registry !== 'go' && registry !== 'oci';

/** Where versions have to be of an age, those that a rule excepts are checked as those are whose time is asked for. */
const isAskedFirst = (fetched: DecidedPackage): boolean => {
  const { registry, minAgeMs = 0, integrity } = fetched;
  return integrity !== undefined || isToldOfScripts(fetched) || (minAgeMs > 0 && promisesFirst(registry));
};

/**
 * As promisedPackage, of what nobody has asked for yet. What the session would pay for, it has to ask for itself. Of Maven each file has a promise of
 * its own: these are asked for by rules with `integrity`.
 */
export async function askedPromise(
  fetched: DecidedPackage,
  access: RequestAccess,
  asking: Asking,
  parts: ExchangeParts,
): Promise<PromisedPackage | undefined> {
  const { promisedAs, registry } = fetched;
  if (promisedAs === undefined || registry === 'maven' || registry === 'go') return undefined;
  const question = questionFor(fetched, { access, asking, parts });
  if (question === undefined) return undefined;
  const { asked, decision } = question;
  const isPaid = accountsOf(asking.principal, decision).some(({ counted: { limits } }) =>
    Object.keys(limits).some((name) => name !== 'bodyBytes'),
  );
  if (isPaid || asked.credentials.length > 0) return undefined;
  const ask = async (): Promise<ToldVersions | undefined> => await askTimes(question, asking, parts);
  const keys = { promisedAs, version: agedAs(fetched) };
  const promise = await parts.publishTimes.promiseOf(asked, keys, ask, true);
  return promise && { ...promise, asked };
}

/** A tag names another image tomorrow. */
const isDelivered = ({ promisedAs, registry, version }: DecidedPackage): boolean =>
  promisedAs !== undefined || (registry === 'oci' && version !== undefined);

function publishedAgain(fetched: DecidedPackage): ProxyError {
  return new ProxyError(
    'policy_denied',
    `${fetched.registry} published ${versionText(fetched)} again while it was judged, and the rule asks for an age (minAge)`,
  );
}

function unpromised(fetched: DecidedPackage): ProxyError {
  return new ProxyError(
    'policy_denied',
    `nothing is promised of what the registry delivers as ${versionText(fetched)} of ${fetched.registry}, and the rule requires a promise (integrity)`,
  );
}
