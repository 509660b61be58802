// What the store knows of packages, and an administrator may let it forget.

import { forgetSeen } from '../packages/forget-seen.ts';
import type { Handlers } from './admin-parts.ts';

export const packageOperations: Handlers<'forgetPackages'> = {
  forgetPackages: async ({ store: { firstSeen }, record }, { operator, body, nowMs }) =>
    await forgetSeen({ firstSeen, operator: operator.name, record }, body, nowMs),
};
