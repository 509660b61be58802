// `upstreamproxy job`: a session for commands that somebody else starts, as the steps of a job in a CI system are.

import { jobDefinition } from '../commands/job-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { beginJob } from './job-begin.ts';
import { endJob } from './job-end.ts';

export const jobCommand = groupOf(jobDefinition, { begin: beginJob, end: endJob });
