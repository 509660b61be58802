// What a released file is made of, for the two formats in which a bill of materials is asked for.

import { hash } from 'node:crypto';
import type { Part } from './bundled-parts.ts';

export interface Bill {
  /** The name of the file that it is about. */
  readonly file: string;
  readonly program: string;
  readonly version: string;
  readonly sha256: string;
  /** Package URLs of what the program uses by itself. */
  readonly uses: readonly string[];
  readonly parts: readonly Part[];
  /** As ISO 8601: of the source, for the time of the build would make each build another. */
  readonly created: string;
}

const license = 'Apache-2.0';
const toolName = 'upstreamproxy build:release';

/** CycloneDX 1.6 as JSON. */
export function cycloneDx(bill: Bill): object {
  const own = `pkg:generic/${bill.program}@${bill.version}`;
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(`cyclonedx ${bill.sha256}`)}`,
    version: 1,
    metadata: {
      timestamp: bill.created,
      lifecycles: [{ phase: 'build' }],
      tools: { components: [{ type: 'application', name: toolName, version: bill.version }] },
      component: {
        'bom-ref': own,
        type: 'application',
        name: bill.program,
        version: bill.version,
        hashes: [{ alg: 'SHA-256', content: bill.sha256 }],
        licenses: [{ license: { id: license } }],
        purl: own,
        properties: [{ name: 'upstreamproxy:file', value: bill.file }],
      },
    },
    components: bill.parts.map(({ name, version, purl, cpe, ...part }) => ({
      'bom-ref': purl,
      type: name === 'node' ? 'platform' : 'library',
      ...scoped(name),
      version,
      licenses: [
        isExpression(part.license) ? { expression: part.license } : { license: { id: part.license } },
      ],
      ...(cpe === undefined ? {} : { cpe }),
      purl,
    })),
    dependencies: [
      { ref: own, dependsOn: bill.uses },
      ...bill.parts.map(({ purl, uses }) => ({ ref: purl, dependsOn: uses })),
    ],
  };
}

function scoped(name: string): { readonly group?: string; readonly name: string } {
  const [, group, rest] = /^(@[^/]+)\/(.+)$/.exec(name) ?? [];
  return group === undefined || rest === undefined ? { name } : { group, name: rest };
}

function isExpression(text: string): boolean {
  return text.includes(' ');
}

/** SPDX 2.3 as JSON. */
export function spdx(bill: Bill): object {
  const own = `SPDXRef-${bill.program}`;
  const relations = (from: string, purls: readonly string[]): readonly object[] =>
    purls.map((purl) => ({
      spdxElementId: from,
      relationshipType: 'CONTAINS',
      relatedSpdxElement: spdxId(purl),
    }));
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: bill.file,
    documentNamespace: `urn:uuid:${uuidOf(`spdx ${bill.sha256}`)}`,
    creationInfo: {
      created: bill.created,
      creators: [`Tool: ${toolName.replace(' ', '-')}-${bill.version}`],
    },
    documentDescribes: [own],
    packages: [
      {
        ...spdxPackage(own, { name: bill.program, version: bill.version, license }),
        packageFileName: bill.file,
        primaryPackagePurpose: 'APPLICATION',
        checksums: [{ algorithm: 'SHA256', checksumValue: bill.sha256 }],
      },
      ...bill.parts.map(({ cpe, purl, ...part }) => ({
        ...spdxPackage(spdxId(purl), part),
        primaryPackagePurpose: 'LIBRARY',
        externalRefs: [
          { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl },
          ...(cpe === undefined
            ? []
            : [{ referenceCategory: 'SECURITY', referenceType: 'cpe23Type', referenceLocator: cpe }]),
        ],
      })),
    ],
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: own },
      ...relations(own, bill.uses),
      ...bill.parts.flatMap(({ purl, uses }) => relations(spdxId(purl), uses)),
    ],
  };
}

function spdxId(purl: string): string {
  return `SPDXRef-${purl.replace('pkg:', '').replaceAll(/[^A-Za-z0-9.]+/g, '-')}`;
}

function spdxPackage(id: string, part: Pick<Part, 'name' | 'version' | 'license'>): object {
  return {
    SPDXID: id,
    name: part.name,
    versionInfo: part.version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: part.license,
    licenseDeclared: part.license,
    copyrightText: 'NOASSERTION',
  };
}

/** The same for the same text (RFC 9562 §5.8). */
function uuidOf(text: string): string {
  const digits = hash('sha256', text);
  const variant = '89ab'[Number.parseInt(digits[16] ?? '0', 16) % 4];
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `8${digits.slice(13, 16)}`,
    `${variant}${digits.slice(17, 20)}`,
    digits.slice(20, 32),
  ].join('-');
}
