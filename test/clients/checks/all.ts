// All checks, in the order of the table.

import type { ClientCheck } from '../check.ts';
import { javascriptPackageChecks } from './javascript-packages.ts';
import { networkChecks } from './network.ts';
import { nodeChecks } from './node.ts';
import { pythonChecks } from './python.ts';
import { sourceChecks } from './source.ts';

export const allChecks: readonly ClientCheck[] = [
  ...networkChecks,
  ...sourceChecks,
  ...nodeChecks,
  ...javascriptPackageChecks,
  ...pythonChecks,
];
