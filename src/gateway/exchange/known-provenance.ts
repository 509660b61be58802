// Who attests how the version was built that a request is for: the gateway asks the registry itself.

import type { DecidedPackage, RequestAccess } from '../../policy/decision.ts';
import { sourceOf } from '../../policy/known-package.ts';
import type { KnownProvenance, Provenance } from '../../policy/package-provenance.ts';
import { agedAs, askedOf } from '../packages/asked-package.ts';
import { CollectOctets, ofProvenance } from '../packages/collect-octets.ts';
import { provenancePath } from '../packages/metadata-address.ts';
import type { AskedPackage } from '../packages/publish-times.ts';
import { type Asking, askRegistry, questionAt } from './ask-registry.ts';
import type { ExchangeParts } from './exchange-parts.ts';

/** @throws ProxyError if the registry cannot be asked */
export async function knownProvenance(
  fetched: DecidedPackage,
  access: RequestAccess,
  asking: Asking,
  parts: ExchangeParts,
): Promise<KnownProvenance> {
  const key = agedAs(fetched);
  const told = await provenanceOf(fetched, access, asking, parts);
  return {
    source: sourceOf(fetched, access.destination),
    of: (one) => (one === key ? told : none('was not asked about')),
  };
}

async function provenanceOf(
  fetched: DecidedPackage,
  access: RequestAccess,
  asking: Asking,
  parts: ExchangeParts,
): Promise<Provenance> {
  const { provenance } = parts;
  if (provenance === undefined)
    return none('cannot be verified: the gateway has no root of trust (packageTrust.sigstore)');
  const { registry, name, version = '', file } = fetched;
  const own: AskedPackage = { ...askedOf(fetched, access, []), part: agedAs(fetched) };
  const path = provenancePath(own, version);
  const scene = { access, asking, parts };
  const question = path === undefined ? undefined : questionAt(own, path, scene, types[registry]);
  if (question === undefined || path === undefined)
    return none('has attestations, perhaps, that no rule lets the session ask for');
  const { scheme, host, port } = own.root;
  const asked = JSON.stringify([scheme, host, port, path, ...question.asked.credentials]);
  const told = await provenance.of(asked, async () => {
    const response = await askRegistry(
      question,
      asking,
      parts,
      (keep, spend) => new CollectOctets(keep, spend, ofProvenance),
    );
    if (response === undefined) return undefined;
    if (response.status === 404 || response.status === 410) return none('has no attestations');
    if (response.status !== 200) return undefined;
    return await provenance.verified(response.octets, { registry, name, version, file });
  });
  return told ?? none('has attestations, perhaps, that the registry did not send');
}

const types: Readonly<Partial<Record<DecidedPackage['registry'], string>>> = {
  npm: 'application/json',
  pypi: 'application/vnd.pypi.integrity.v1+json',
};

const none = (why: string): Provenance => ({ kind: 'none', why });
