// The table of conformance, as the command prints it and docs/reference/protocols.md shows it.

import type { Suite, Verdict } from './suite.ts';

export function tableHead(): string {
  return '| suite | what is compared | pass | expected deviations | excluded by rule |\n|---|---|---|---|---|';
}

export function tableLine({ name, about }: Suite, { passed, deviations, excluded }: Verdict): string {
  return `| ${name} | ${about} | ${passed} | ${deviations} | ${excluded} |`;
}
