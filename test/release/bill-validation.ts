// Whether bills of materials are what others expect: CycloneDX by the schema of its makers, SPDX by the rules of its specification. The schema and its
// reader are installed for the time of a run.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { runCommand } from '../support/command.ts';

const packages = [
  '@cyclonedx/cyclonedx-library@10.3.0',
  'ajv@8.20.0',
  'ajv-formats@3.0.1',
  'spdx-expression-parse@4.0.0',
];

export interface BillReaders {
  /** Faults of a document; empty for none. */
  readonly cycloneDx: (document: unknown) => readonly string[];
  readonly spdx: (document: unknown) => readonly string[];
}

/** Installs into `folder`; a sentence where no registry can be reached. */
export async function billReaders(folder: string): Promise<BillReaders | string> {
  const args = [
    'install',
    '--prefix',
    folder,
    '--ignore-scripts',
    '--omit=optional',
    '--no-audit',
    '--no-fund',
    ...packages,
  ];
  const { code, stderr } = await runCommand('npm', args, { timeoutMs: 300_000 });
  if (code !== 0) return `the package registry cannot be reached: ${stderr.split('\n')[0]}`;
  const load = createRequire(join(folder, 'node_modules', 'from-here.js'));
  return { cycloneDx: cycloneDxReader(folder, load), spdx: spdxReader(load) };
}

interface Validator {
  (document: unknown): boolean;
  errors?: readonly { readonly instancePath: string; readonly message?: string }[] | null;
}

interface Ajv {
  addSchema(schema: unknown, id: string): void;
  addFormat(name: string, format: true): void;
  compile(schema: unknown): Validator;
}

function cycloneDxReader(folder: string, load: NodeJS.Require): BillReaders['cycloneDx'] {
  const schemas = join(folder, 'node_modules/@cyclonedx/cyclonedx-library/res/schema');
  const read = (name: string): unknown =>
    JSON.parse(readFileSync(join(schemas, `${name}.SNAPSHOT.schema.json`), 'utf8'));
  // The package's own form.
  const ajv = new (load('ajv') as new (options: object) => Ajv)({ strict: false, allErrors: true });
  (load('ajv-formats') as (ajv: Ajv) => void)(ajv);
  for (const format of ['iri-reference', 'idn-email']) ajv.addFormat(format, true);
  for (const name of ['spdx', 'jsf-0.82', 'cryptography-defs'])
    ajv.addSchema(read(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  const validate = ajv.compile(read('bom-1.6'));
  return (document) =>
    validate(document)
      ? []
      : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath}: ${message}`);
}

type Fields = Readonly<Record<string, unknown>>;

/** Fields of a package (SPDX 2.3 §7), and the form of each that we write. */
const packageFields: Readonly<Record<string, (value: unknown) => boolean>> = {
  SPDXID: (value) => /^SPDXRef-[A-Za-z0-9.-]+$/.test(String(value)),
  name: isText,
  versionInfo: isText,
  packageFileName: isText,
  downloadLocation: (value) => value === 'NOASSERTION',
  filesAnalyzed: (value) => value === false,
  licenseConcluded: isText,
  licenseDeclared: isText,
  copyrightText: isText,
  primaryPackagePurpose: (value) => value === 'APPLICATION' || value === 'LIBRARY',
  checksums: (value) => Array.isArray(value) && value.every(isChecksum),
  externalRefs: (value) => Array.isArray(value) && value.every(isExternalRef),
};
const required = ['SPDXID', 'name', 'downloadLocation'];

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isChecksum({ algorithm, checksumValue }: Fields): boolean {
  return algorithm === 'SHA256' && /^[0-9a-f]{64}$/.test(String(checksumValue));
}

function isExternalRef({ referenceCategory, referenceType, referenceLocator }: Fields): boolean {
  return referenceType === 'purl'
    ? referenceCategory === 'PACKAGE-MANAGER' && /^pkg:[a-z]+\/[^\s@]+@\S+$/.test(String(referenceLocator))
    : referenceCategory === 'SECURITY' && /^cpe:2\.3:a(?::[^:\s]+){10}$/.test(String(referenceLocator));
}

interface SpdxDocument extends Fields {
  readonly creationInfo: { readonly created: string; readonly creators: readonly string[] };
  readonly documentDescribes: readonly string[];
  readonly packages: readonly Fields[];
  readonly relationships: readonly Fields[];
}

function spdxReader(load: NodeJS.Require): BillReaders['spdx'] {
  const parseExpression = load('spdx-expression-parse') as (text: string) => unknown;
  const isLicense = (text: unknown): boolean => {
    try {
      return parseExpression(String(text)) !== undefined;
    } catch {
      return false;
    }
  };
  return (document) => {
    const faults: string[] = [];
    const expect = (what: string, isRight: boolean): void => void (isRight || faults.push(what));
    // A field that is missing fails below.
    const bill = document as SpdxDocument;
    const ids = bill.packages.map((one) => one['SPDXID']);
    const known = new Set<unknown>([...ids, 'SPDXRef-DOCUMENT']);
    expect('version', bill['spdxVersion'] === 'SPDX-2.3');
    expect('data licence', bill['dataLicense'] === 'CC0-1.0');
    expect('id', bill['SPDXID'] === 'SPDXRef-DOCUMENT');
    const namespace = String(bill['documentNamespace']);
    expect('namespace', URL.canParse(namespace) && !namespace.includes('#'));
    expect('created', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(bill.creationInfo.created));
    for (const one of bill.creationInfo.creators) expect('creator', /^Tool: \S+-\S+$/.test(one));
    expect('an id twice', new Set(ids).size === ids.length);
    for (const id of bill.documentDescribes) expect(`describes ${id}`, ids.includes(id));
    for (const one of bill.packages) {
      const id = String(one['SPDXID']);
      for (const name of required) expect(`${id} has no ${name}`, one[name] !== undefined);
      for (const [name, value] of Object.entries(one))
        expect(`${id}: ${name}`, packageFields[name]?.(value) ?? false);
      for (const name of ['licenseDeclared', 'licenseConcluded'])
        expect(`${id}: ${name}`, isLicense(one[name]));
    }
    for (const { spdxElementId, relatedSpdxElement, relationshipType } of bill.relationships) {
      const what = `relation of ${String(spdxElementId)}`;
      expect(what, known.has(spdxElementId) && known.has(relatedSpdxElement));
      expect(what, relationshipType === 'DESCRIBES' || relationshipType === 'CONTAINS');
    }
    return faults;
  };
}
