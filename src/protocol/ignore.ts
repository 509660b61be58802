// What listens to an event that another event says as well, where being heard is what counts.

/** One for all: a function made beside others keeps everything that they hold, for as long as the socket lives that it listens to. */
export function ignore(): void {}
