/** Operators read times in their own zone: the instance has none. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
