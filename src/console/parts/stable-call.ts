// A function that stays the same while what it does follows the newest render: who is given it is not drawn again for it.

import { useCallback, useRef } from 'react';

export function useStableCall<Value>(call: (value: Value) => void): (value: Value) => void {
  const latest = useRef(call);
  latest.current = call;
  return useCallback((value: Value): void => latest.current(value), []);
}
