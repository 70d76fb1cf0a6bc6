package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

type extensionRow struct {
	extension, kind, name string
	inUse                 bool
	blockedUntil          int64
}

const extensionColumns = "SELECT extension, kind, name, in_use, blocked_until FROM extensions "

func scanExtension(s scanner) (extensionRow, error) {
	var r extensionRow
	err := s.Scan(&r.extension, &r.kind, &r.name, &r.inUse, &r.blockedUntil)
	return r, err
}

func (r extensionRow) of(o ExtensionOwner) bool { return r.kind == o.Kind && r.name == o.Name }
func (r extensionRow) freeAt(now int64) bool    { return !r.inUse && r.blockedUntil <= now }
func (r ExtensionRange) holds(number string) bool { // same number of digits, so text order is number order
	return len(number) == len(r.From) && len(number) == len(r.To) && r.From <= number && number <= r.To
}

func inRanges(number string, ranges []ExtensionRange) bool {
	for _, r := range ranges {
		if r.holds(number) {
			return true
		}
	}
	return len(ranges) == 0
}

// AllocateExtension implements Extensions.
func (db *DB) AllocateExtension(ctx context.Context, owner ExtensionOwner, wanted string, ranges []ExtensionRange, quarantine time.Duration) (string, error) {
	// Nothing to do is the common case, and needs no lock. What an owner has it keeps, also when the ranges have changed.
	present, err := presentExtension(ctx, db.read(), owner)
	if err == nil && (wanted == "" || wanted == present) {
		return present, nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("store: allocate extension: %w", err)
	}
	if wanted != "" && !inRanges(wanted, ranges) {
		return "", fmt.Errorf("store: %s: %w", wanted, ErrOutOfRange)
	}
	var got string
	err = db.write(ctx, "allocate extension", func(t *tx) error {
		if err := t.lockCenter(ctx, owner.Namespace); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		got, err = t.allocate(ctx, owner, wanted, ranges, quarantine, now)
		return err
	})
	return got, err
}

func presentExtension(ctx context.Context, c conn, o ExtensionOwner) (string, error) {
	return one(ctx, c, scalar[string],
		"SELECT extension FROM extensions WHERE namespace = ? AND kind = ? AND name = ? AND in_use", o.Namespace, o.Kind, o.Name)
}

func (t *tx) allocate(ctx context.Context, o ExtensionOwner, wanted string, ranges []ExtensionRange, quarantine time.Duration, now int64) (string, error) {
	present, err := presentExtension(ctx, t.conn, o)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", err
	}
	switch {
	case wanted == "" && present != "", wanted == present && present != "":
		return present, nil
	case wanted == "":
		if wanted, err = t.lastExtension(ctx, o, ranges); err != nil {
			return "", err
		}
		if wanted == "" {
			if wanted, err = t.lowestFree(ctx, o.Namespace, ranges, now); err != nil {
				return "", err
			}
		}
	default:
		if err := t.checkFree(ctx, o, wanted, now); err != nil {
			return "", err
		}
	}
	if present != "" {
		if err := t.release(ctx, o.Namespace, present, now, quarantine); err != nil {
			return "", err
		}
	}
	_, err = t.exec(ctx, `INSERT INTO extensions (namespace, extension, kind, name, in_use, released_at, blocked_until)
		VALUES (?, ?, ?, ?, TRUE, 0, 0) ON CONFLICT (namespace, extension)
		DO UPDATE SET kind = excluded.kind, name = excluded.name, in_use = TRUE, released_at = 0, blocked_until = 0`,
		o.Namespace, wanted, o.Kind, o.Name)
	return wanted, err
}

func (t *tx) checkFree(ctx context.Context, o ExtensionOwner, wanted string, now int64) error {
	r, err := one(ctx, t.conn, scanExtension, extensionColumns+"WHERE namespace = ? AND extension = ?", o.Namespace, wanted)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil || r.of(o) || r.freeAt(now) {
		return err
	}
	taken := &TakenError{Value: wanted, By: r.kind + "/" + r.name}
	if !r.inUse {
		taken.Until = fromMicros(r.blockedUntil)
	}
	return taken
}

// lastExtension is the number the owner released last, when it still carries its name and fits the ranges.
func (t *tx) lastExtension(ctx context.Context, o ExtensionOwner, ranges []ExtensionRange) (string, error) {
	rows, err := all(ctx, t.conn, scalar[string],
		"SELECT extension FROM extensions WHERE namespace = ? AND kind = ? AND name = ? ORDER BY released_at DESC, extension",
		o.Namespace, o.Kind, o.Name)
	if err != nil {
		return "", err
	}
	for _, number := range rows {
		if inRanges(number, ranges) {
			return number, nil
		}
	}
	return "", nil
}

func (t *tx) lowestFree(ctx context.Context, namespace string, ranges []ExtensionRange, now int64) (string, error) {
	for _, r := range ranges {
		number, err := t.lowestFreeOf(ctx, namespace, r, now)
		if err != nil || number != "" {
			return number, err
		}
	}
	return "", ErrRangeFull
}

// lowestFreeOf starts at the range's floor, below which all numbers are in use, so that giving out thousands of
// numbers does not read thousands of rows each time. It returns "" when the range is full.
func (t *tx) lowestFreeOf(ctx context.Context, namespace string, r ExtensionRange, now int64) (string, error) {
	floor, err := one(ctx, t.conn, scalar[string],
		"SELECT floor FROM extension_floors WHERE namespace = ? AND range_from = ?", namespace, r.From)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", err
	}
	if len(floor) != len(r.From) {
		floor = r.From
	}
	rows, err := t.x.QueryContext(ctx, t.d.sql(extensionColumns+
		"WHERE namespace = ? AND extension >= ? AND extension <= ? AND LENGTH(extension) = ? ORDER BY extension"),
		namespace, floor, r.To, len(r.From))
	if err != nil {
		return "", err
	}
	number, newFloor, err := firstGap(rows, floor, now)
	if err != nil {
		return "", err
	}
	if newFloor != floor {
		if _, err := t.exec(ctx, `INSERT INTO extension_floors (namespace, range_from, floor) VALUES (?, ?, ?)
			ON CONFLICT (namespace, range_from) DO UPDATE SET floor = excluded.floor`, namespace, r.From, newFloor); err != nil {
			return "", err
		}
	}
	if !r.holds(number) {
		return "", nil
	}
	return number, nil
}

// firstGap walks rows from floor on: the first free number, and the first that is not in use.
func firstGap(rows *sql.Rows, floor string, now int64) (number, newFloor string, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	number, newFloor = floor, ""
	for rows.Next() {
		row, err := scanExtension(rows)
		if err != nil {
			return "", "", err
		}
		if row.extension != number || row.freeAt(now) {
			break
		}
		if !row.inUse && newFloor == "" {
			newFloor = number
		}
		if number, err = nextNumber(number); err != nil {
			return "", "", err
		}
	}
	if newFloor == "" {
		newFloor = number
	}
	return number, newFloor, rows.Err()
}

// nextNumber keeps leading zeros.
func nextNumber(number string) (string, error) {
	n, err := strconv.ParseUint(number, 10, 63)
	return fmt.Sprintf("%0*d", len(number), n+1), err
}

// release starts the quarantine of a number and lowers the floors above it.
func (t *tx) release(ctx context.Context, namespace, number string, now int64, quarantine time.Duration) error {
	if _, err := t.exec(ctx, "UPDATE extensions SET in_use = FALSE, released_at = ?, blocked_until = ? WHERE namespace = ? AND extension = ?",
		now, now+quarantine.Microseconds(), namespace, number); err != nil {
		return err
	}
	_, err := t.exec(ctx, `UPDATE extension_floors SET floor = ?
		WHERE namespace = ? AND LENGTH(floor) = ? AND range_from <= ? AND floor > ?`, number, namespace, len(number), number, number)
	return err
}

// ReleaseExtension implements Extensions.
func (db *DB) ReleaseExtension(ctx context.Context, owner ExtensionOwner, quarantine time.Duration) error {
	return db.write(ctx, "release extension", func(t *tx) error {
		if err := t.lockCenter(ctx, owner.Namespace); err != nil {
			return err
		}
		present, err := presentExtension(ctx, t.conn, owner)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		return t.release(ctx, owner.Namespace, present, now, quarantine)
	})
}
