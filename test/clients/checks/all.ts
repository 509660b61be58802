// All checks, in the order of the table.

import type { ClientCheck } from '../check.ts';
import { assistantChecks } from './assistants.ts';
import { browserChecks } from './browsers.ts';
import { compiledLanguageChecks } from './compiled-languages.ts';
import { containerChecks } from './containers.ts';
import { downloaderChecks } from './downloaders.ts';
import { javaChecks } from './java.ts';
import { javascriptLibraryChecks } from './javascript-libraries.ts';
import { javascriptPackageChecks } from './javascript-packages.ts';
import { javascriptToolChecks } from './javascript-tools.ts';
import { networkChecks } from './network.ts';
import { nodeDownloadChecks } from './node-downloads.ts';
import { nodeChecks } from './node.ts';
import { otherLanguageChecks } from './other-languages.ts';
import { pythonLibraryChecks } from './python-libraries.ts';
import { pythonProgramChecks } from './python-programs.ts';
import { pythonChecks } from './python.ts';
import { scriptingLanguageChecks } from './scripting-languages.ts';
import { serviceChecks } from './services.ts';
import { sourceChecks } from './source.ts';
import { systemPackageChecks } from './system-packages.ts';
import { versionControlChecks } from './version-control.ts';

export const allChecks: readonly ClientCheck[] = [
  ...networkChecks,
  ...downloaderChecks,
  ...sourceChecks,
  ...versionControlChecks,
  ...nodeChecks,
  ...javascriptLibraryChecks,
  ...javascriptPackageChecks,
  ...javascriptToolChecks,
  ...nodeDownloadChecks,
  ...assistantChecks,
  ...pythonChecks,
  ...pythonLibraryChecks,
  ...pythonProgramChecks,
  ...systemPackageChecks,
  ...compiledLanguageChecks,
  ...javaChecks,
  ...scriptingLanguageChecks,
  ...otherLanguageChecks,
  ...containerChecks,
  ...browserChecks,
  ...serviceChecks,
];
