// NIST's certification paths with name constraints, by our own reading of constraints: the runtime verifies the rest, and misses some of these.

import { readFile } from 'node:fs/promises';

import { constraintViolation } from '../../../src/pki/name-constraints.ts';
import type { CaseResult, Suite } from '../suite.ts';
import { pkitsDeviations } from './pkits-deviations.ts';

export const pkitsSuite: Suite = {
  name: 'pkits',
  about: 'NIST’s paths of certificates, section 4.13, name constraints: taken or refused as it says',
  deviations: pkitsDeviations,
  run: async () => ({ results: await runPaths(), from: 'the checkout' }),
};

interface Paths {
  readonly vectors: readonly {
    readonly name: string;
    /** Names of certificates, the trusted one first. */
    readonly path: readonly string[];
    readonly isValid: boolean;
  }[];
  /** DER in Base64. */
  readonly certificates: Readonly<Record<string, string>>;
}

export async function runPaths(): Promise<readonly CaseResult[]> {
  const file = new URL('cases/name-constraints.json', import.meta.url);
  // As it stands beside this file.
  const { vectors, certificates } = JSON.parse(await readFile(file, 'utf8')) as Paths;
  return vectors.map(({ name: id, path, isValid }) => {
    const chain = path.toReversed().map((name) => Buffer.from(certificates[name] ?? '', 'base64'));
    const violation = constraintViolation(chain);
    if ((violation === undefined) === isValid) return { id, state: 'passed' };
    return { id, state: 'failed', why: violation ?? 'no violation is found' };
  });
}
