// `upstreamproxy packages`: why a package is let through or not, which ones came, and what is known against packages.

import { packagesDefinition } from '../commands/packages-definition.ts';
import { advisories } from '../gateway/packages.ts';
import { forgetPackages as forget } from '../operator/package-forget.ts';
import { reportPackages as report } from '../operator/package-report.ts';
import { groupOf } from '../terminal/command.ts';
import { explainPackageCommand as explain } from './explain-package-command.ts';
import { testPackagesCommand as test } from './test-packages-command.ts';

export const packagesCommand = groupOf(packagesDefinition, { advisories, explain, forget, report, test });
