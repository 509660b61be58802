// The licences of all that is in a program, as one text, for whatever brings that program along.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { bundledPackages, runtimeParts } from './bundled-parts.ts';
import { licenseTexts } from './license-texts.ts';
import { type ProgramKind, sourcesOf } from './single-file.ts';
import { architectures, installedNode } from './target-node.ts';

const license = fileURLToPath(new URL('../../LICENSE', import.meta.url));

/** By what the bundlers take of this checkout. @throws Error if something of it does not say its licence */
export function programLicenses(program: ProgramKind): string {
  // One version of Node has one licence, for whichever architecture it was built.
  const architecture = architectures.find((one) => one === process.arch);
  if (architecture === undefined) throw new Error(`there is no Node of ours for ${process.arch}`);
  const runtime = runtimeParts(installedNode(architecture), process.versions);
  return licenseTexts(readFileSync(license, 'utf8'), [...bundledPackages(sourcesOf(program)), ...runtime]);
}
