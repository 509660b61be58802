// Loaded before each test file of `npm test`: what one file's process has compiled, the next one takes from the run's folder.
// No TypeScript: then a process whose files are all there already needs nothing that takes types out.

import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

const folder = process.env['TEST_RUN_FOLDER'];
// Not by the environment: the programs that tests start must not see it, and the agent refuses it.
if (folder !== undefined) enableCompileCache(join(folder, 'compiled'));
