// `packages` of a rule as it is written.

import { z } from 'zod';
import { severities } from '../understand/packages/advisory.ts';
import { packageRegistries, publishOperations } from '../understand/packages/package-request.ts';
import { oneOrMany, text } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

const patternHint =
  'write a package such as lodash, @acme/* or lodash@<4.17.21, or a list of them; * is any text';
const registryHint = `write how the registry speaks: ${packageRegistries.join(', ')}`;
const ageHint = 'write an age such as 3d, 36h or 1w';
const exceptionHint =
  'write an exception such as { package: lodash@4.17.22, reason: CVE-2030-1, until: 2030-02-01T00:00:00Z }';
const integrityHint = 'write asked, or required for archives that have to be promised';
const provenanceHint = 'write required, or whose, such as { repository: https://github.com/acme/* }';
const repositoryHint = 'write a repository such as https://github.com/acme/lib, or a list of them';
const issuerHint = 'write an issuer such as https://token.actions.githubusercontent.com, or a list of them';
const severityHint = `write from which severity on: ${severities.join(', ')}`;
const idHint = 'write an id such as GHSA-xxxx-xxxx-xxxx, or a list of them';
const publishHint = 'write what may be published, such as { allow: "@acme/tool" }';
const operationHint = `write ${publishOperations.join(', ')}, or a list of them`;
const indexHint = 'write where the registry begins, such as https://registry.example.com/npm/';

/** A rule about packages of a registry. */
export const packagesSchema = strictMap(
  {
    registry: z
      .enum(packageRegistries, { error: registryHint })
      .describe('How the registry speaks, whatever its host: npm is also for pnpm, yarn and bun.'),
    index: text(indexHint)
      .optional()
      .describe(
        'Where the addresses of the registry begin, if not at the root of its host: https://HOST/PATH/.',
      ),
    allow: oneOrMany(text(patternHint), patternHint)
      .optional()
      .describe('Packages that may be fetched, with a range of versions behind @. All by default.'),
    deny: oneOrMany(text(patternHint), patternHint)
      .optional()
      .describe('Packages, or versions, that may not. In a rule that denies: those that it denies.'),
    publish: strictMap(
      {
        allow: oneOrMany(text(patternHint), patternHint).describe(
          'Packages that may be published, with a range of versions behind @.',
        ),
        operations: oneOrMany(z.enum(publishOperations, { error: operationHint }), operationHint)
          .optional()
          .describe(
            'publish: a new version. tag, deprecate, unpublish, yank, unyank, owners: what else is changed. publish by default.',
          ),
      },
      {
        hint: publishHint,
        synonyms: {
          only: 'allow',
          names: 'allow',
          packages: 'allow',
          operation: 'operations',
          may: 'operations',
        },
      },
    )
      .optional()
      .describe(
        'Packages that may be published: the rule is about that alone, and so is the credential that it injects. For npm, pypi, cargo and oci.',
      ),
    minAge: text(ageHint)
      .optional()
      .describe(
        'How long a version has to be out before it may be fetched: 3d, 36h, 1w. No time by default. For go, maven and oci it counts from when a gateway saw it first.',
      ),
    integrity: z
      .enum(['asked', 'required'], { error: integrityHint })
      .optional()
      .describe(
        'asked: the gateway asks what the registry promises of each archive, and checks it. required: an archive of which nothing is promised is refused.',
      ),
    installScripts: z
      .enum(['tell'], { error: 'write installScripts: tell, or leave it out' })
      .optional()
      .describe(
        'The audit and the report say of each archive whether clients run something of it when they install it. Nothing is refused. For npm, pypi and cargo.',
      ),
    advisories: strictMap(
      {
        deny: z
          .enum(severities, { error: severityHint })
          .describe('From which severity on an advisory keeps a version back, and malware.'),
      },
      {
        hint: 'write advisories as { deny: high }',
        synonyms: { severity: 'deny', from: 'deny', level: 'deny', block: 'deny' },
      },
    )
      .optional()
      .describe(
        'Versions that known advisories affect are kept back; needs advisories.index of the gateway.',
      ),
    malware: z
      .enum(['deny'], { error: 'write malware: deny, or leave it out' })
      .optional()
      .describe('Versions that are known as malware are kept back; needs advisories.index of the gateway.'),
    provenance: z
      .union(
        [
          z.enum(['required'], { error: provenanceHint }),
          strictMap(
            {
              repository: oneOrMany(text(repositoryHint), repositoryHint)
                .optional()
                .describe(
                  'Repositories from whose sources it may be built; * is text within a part, ** at the end any parts.',
                ),
              issuer: oneOrMany(text(issuerHint), issuerHint)
                .optional()
                .describe('Who says which workflow built it: issuers of OpenID Connect.'),
            },
            {
              hint: provenanceHint,
              synonyms: { repositories: 'repository', source: 'repository', issuers: 'issuer' },
            },
          ),
        ],
        { error: provenanceHint },
      )
      .optional()
      .describe(
        'Attestations have to say from which source a version was built; needs packageTrust.sigstore of the gateway.',
      ),
    exceptions: z
      .array(
        strictMap(
          {
            package: text(patternHint).describe('The package, or some of its versions.'),
            advisory: oneOrMany(text(idHint), idHint)
              .optional()
              .describe(
                'Ids of advisories in spite of which it may be fetched. Without, it is about the age.',
              ),
            reason: text('write why it cannot wait').describe('Why it cannot wait; for people.'),
            until: text('write a time such as 2030-01-31T12:00:00Z').describe(
              'RFC 3339 time from which the exception does not hold any more.',
            ),
          },
          {
            hint: exceptionHint,
            synonyms: {
              name: 'package',
              expires: 'until',
              why: 'reason',
              id: 'advisory',
              advisories: 'advisory',
            },
          },
        ),
        { error: exceptionHint },
      )
      .max(1000, { error: exceptionHint })
      .optional()
      .describe(
        'What may be fetched before it is of that age, or in spite of an advisory, each with a reason and an end.',
      ),
  },
  {
    hint: 'write packages as a map, such as { registry: npm, allow: [lodash, "@acme/*"] }',
    synonyms: {
      type: 'registry',
      ecosystem: 'registry',
      url: 'index',
      root: 'index',
      names: 'allow',
      only: 'allow',
      block: 'deny',
      except: 'exceptions',
      checksums: 'integrity',
      hashes: 'integrity',
      age: 'minAge',
      attestations: 'provenance',
      scripts: 'installScripts',
      minimumReleaseAge: 'minAge',
    },
  },
);
