// Advisories about packages, as they are imported and looked up.

import { fixedRow, MiB, type LimitRow } from './limit-row.ts';

export const advisoryLimits = {
  advisoryRecordBytesMax: fixedRow(
    16 * MiB,
    'config_invalid',
    'One record of an export, unpacked; it is in memory as a whole. The longest of OSV have some 2 MiB.',
  ),
  advisoryRecordsMax: fixedRow(
    4_000_000,
    'config_invalid',
    'Records that one import reads; all of OSV has some 700,000.',
  ),
  advisoryExportBytesMax: fixedRow(
    16 * 1024 * MiB,
    'config_invalid',
    'All records of one import, unpacked: what a small archive unpacks to ends there. That of npm has some 600 MiB.',
  ),
  advisoryIndexBytesMax: fixedRow(
    512 * MiB,
    'config_invalid',
    'The index of advisories: each process of a gateway has it in memory. That of npm, PyPI, Go, Maven, RubyGems and crates.io has some 40 MiB.',
  ),
  advisoryVersionsMax: fixedRow(
    20_000,
    'config_invalid',
    'Versions that advisories name of one package: they are sorted by the order of its registry. Beyond, those that name the most are about every version. Packages have some 10,000 versions at most.',
  ),
  advisoryPackageBytesMax: fixedRow(
    MiB,
    'config_invalid',
    'What the index says of one package; a gateway reads it whole when the package is asked for. Beyond, what takes the most is about every version.',
  ),
  advisoryLookIntervalMs: fixedRow(
    10_000,
    'config_invalid',
    'How often a gateway looks whether the index of advisories was changed.',
  ),
  advisoryAlarmMs: fixedRow(
    86_400_000,
    'config_invalid',
    'Alarms about advisories that are old: one within this time.',
  ),
  advisoryFoldersMax: fixedRow(
    8,
    'config_invalid',
    'Folders inside each other in which an import looks for exports.',
  ),
  advisoryChangesToldMax: fixedRow(
    1000,
    'config_invalid',
    'Advisories that are new, and those that are gone, as an import names them; the others are counted.',
  ),
  advisoryUnreadableMax: fixedRow(
    100,
    'config_invalid',
    'Records that an import may fail to read and still succeed: this many, or one in a hundred if there are more than 10,000 records.',
  ),
} as const satisfies Record<string, LimitRow>;
