// Policies: their files, their versions in the store, and the hosts that tools tell of.

import { KiB, MiB, fixedRow, type LimitRow } from './limit-row.ts';

export const policyLimits = {
  foundGitConfigBytesMax: fixedRow(
    64 * KiB,
    'config_invalid',
    'What `init` reads of `.git/config` to find remotes. A repository with fifty of them has 5 KiB; the rest is not looked at.',
  ),
  policyBytesMax: fixedRow(
    2 * MiB,
    'config_invalid',
    'A policy or configuration file; 5,000 rules of four keys are 0.6 MB.',
  ),
  policyRulesMax: fixedRow(
    10_000,
    'config_invalid',
    'Rules of all files together. A separate thread reads and checks them. In the serving thread, an index takes them in small portions.',
  ),
  policyHostsMax: fixedRow(
    200_000,
    'config_invalid',
    'Hosts of all rules. Hosts of a group count in each rule that includes it, because the index holds each of them.',
  ),
  policyReachComparedMax: fixedRow(
    100_000,
    'config_invalid',
    'Pairs of a host with a port or a credential that the rules of a policy name, when the reach of two policies is compared. With more, the comparison says that it left them out.',
  ),
  policyReadHereBytesMax: fixedRow(
    16 * KiB,
    'config_invalid',
    'A changed policy up to this size is read by the serving thread, in some 10 ms. Starting a separate thread for it would take longer than that.',
  ),
  policyReadTimeoutMs: fixedRow(
    60_000,
    'config_invalid',
    'From a change of the files to a policy that can be taken, with the hosts of tools. After this time the gateway gives up, and the policy in force stays.',
  ),
  policyReadMemoryBytesMax: fixedRow(
    1024 * MiB,
    'config_invalid',
    'Heap of the thread that reads a changed policy. If it runs out, the serving process goes on.',
  ),
  discoverTimeoutMs: fixedRow(
    15_000,
    'config_invalid',
    'Asking a tool for the hosts of its configuration. A tool that hangs must not keep the gateway from starting.',
  ),
  discoverOutputBytesMax: fixedRow(
    256 * KiB,
    'config_invalid',
    'The list of hosts that a tool prints or a file holds.',
  ),
  discoveredHostsMax: fixedRow(200, 'config_invalid', 'More hosts than this come from a wrong file.'),
  policyFilesMax: fixedRow(
    200,
    'config_invalid',
    'Files of a policy folder, which is read flat. A folder with more files is the wrong one.',
  ),
  policiesPublishedMax: fixedRow(
    100,
    'limit_exceeded',
    'Policies by name in the store, withdrawn ones too. One for each team is usual, and every gateway holds them all.',
  ),
  policyPublishedBytesMax: fixedRow(
    4 * MiB,
    'config_invalid',
    'All files of one published policy: twice what a single file may have.',
  ),
  policyVersionsMax: fixedRow(
    500,
    'limit_exceeded',
    'Versions of one policy that the store keeps to go back to. Beyond it the oldest goes.',
  ),
  policyOutcomesMax: fixedRow(
    100,
    'limit_exceeded',
    'Gateways whose outcome for a version is kept: those that looked last.',
  ),
  policiesKeptMax: fixedRow(
    500,
    'limit_exceeded',
    'Policies that have decided. Their texts are kept so that an event can be explained later. Beyond it the one that has been out of force longest goes.',
  ),
  policyBindingClaimsMax: fixedRow(20, 'usage', 'Claims that bind a published policy to sessions.'),
  policyNoteCharactersMax: fixedRow(1_000, 'usage', 'The note to a published version. A longer one is cut.'),
  policyReasonCharactersMax: fixedRow(
    4_000,
    'config_invalid',
    "A gateway's reason for not taking a version. A longer one is cut.",
  ),
  policyTriedAtStartMax: fixedRow(
    20,
    'config_invalid',
    'How many earlier versions a starting gateway tries if it cannot take the newest.',
  ),
  policyProblemsMax: fixedRow(
    100,
    'config_invalid',
    'More problems than this help nobody, and each is a line of the log.',
  ),
} as const satisfies Record<string, LimitRow>;
