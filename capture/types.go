package capture

import "fmt"

// logicalType is the annotation of a schema element: what its bytes mean.
type logicalType struct {
	kind             int16 // the union's field number; 0 is none
	scale, precision int32 // of a decimal
	unit             int16 // of a timestamp: 1 ms, 2 µs, 3 ns
	utc              bool  // of a timestamp: an instant, not a wall clock
	bits             int8  // of an integer
	signed           bool  // of an integer
}

// The annotations that matter here, by their number in the union LogicalType.
const (
	logicalString    = 1
	logicalMap       = 2
	logicalList      = 3
	logicalEnum      = 4
	logicalDecimal   = 5
	logicalDate      = 6
	logicalTime      = 7
	logicalTimestamp = 8
	logicalInteger   = 10
	logicalJSON      = 12
	logicalUUID      = 14
)

// The deprecated annotations, still the only ones in old files.
const (
	convertedUTF8            = 0
	convertedMap             = 1
	convertedList            = 3
	convertedEnum            = 4
	convertedDecimal         = 5
	convertedDate            = 6
	convertedTimeMillis      = 7
	convertedTimeMicros      = 8
	convertedTimestampMillis = 9
	convertedTimestampMicros = 10
	convertedUint8           = 11
	convertedInt8            = 15
	convertedInt64           = 18
	convertedJSON            = 19
)

func (l *logicalType) parse(t *thrift, typ byte) {
	t.enter(typ)
	var last int16
	for {
		id, ft := t.field(&last)
		if ft == thriftStop {
			return
		}
		l.kind = id
		switch id {
		case logicalDecimal, logicalTimestamp, logicalInteger:
			t.enter(ft)
			l.parseMembers(t)
		default:
			t.skip(ft)
		}
	}
}

func (l *logicalType) parseMembers(t *thrift) {
	var last int16
	for {
		id, ft := t.field(&last)
		if ft == thriftStop {
			return
		}
		switch {
		case l.kind == logicalDecimal && id == 1:
			l.scale = t.int32(ft)
		case l.kind == logicalDecimal && id == 2:
			l.precision = t.int32(ft)
		case l.kind == logicalTimestamp && id == 1:
			l.utc = t.bool(ft)
		case l.kind == logicalTimestamp && id == 2:
			t.enter(ft)
			var unit int16
			l.unit, ft = t.field(&unit)
			if ft != thriftStop {
				t.skip(ft)
				t.byte() // the union's stop
			}
		case l.kind == logicalInteger && id == 1:
			l.bits = int8(t.int32(ft))
		case l.kind == logicalInteger && id == 2:
			l.signed = t.bool(ft)
		default:
			t.skip(ft)
		}
	}
}

// meaning merges the two generations of annotations into the newer form.
func (s *schemaNode) meaning() logicalType {
	if s.logical.kind != 0 {
		return s.logical
	}
	switch c := s.converted; {
	case c == convertedUTF8:
		return logicalType{kind: logicalString}
	case c == convertedMap || c == convertedMap+1:
		return logicalType{kind: logicalMap}
	case c == convertedList:
		return logicalType{kind: logicalList}
	case c == convertedEnum:
		return logicalType{kind: logicalEnum}
	case c == convertedDecimal:
		return logicalType{kind: logicalDecimal, scale: s.scale, precision: s.precision}
	case c == convertedDate:
		return logicalType{kind: logicalDate}
	case c == convertedTimeMillis || c == convertedTimeMicros:
		return logicalType{kind: logicalTime}
	case c == convertedTimestampMillis:
		return logicalType{kind: logicalTimestamp, unit: 1, utc: true}
	case c == convertedTimestampMicros:
		return logicalType{kind: logicalTimestamp, unit: 2, utc: true}
	case c >= convertedUint8 && c < convertedInt8:
		return logicalType{kind: logicalInteger, bits: 8 << (c - convertedUint8)}
	case c >= convertedInt8 && c <= convertedInt64:
		return logicalType{kind: logicalInteger, bits: 8 << (c - convertedInt8), signed: true}
	case c == convertedJSON:
		return logicalType{kind: logicalJSON}
	}
	return logicalType{}
}

// describe names a column's type as an error message does.
func (s *schemaNode) describe() string {
	m := s.meaning()
	switch m.kind {
	case logicalString, logicalEnum:
		return "text"
	case logicalMap:
		return "a map"
	case logicalList:
		return "a list"
	case logicalDecimal:
		return fmt.Sprintf("decimal(%d,%d)", m.precision, m.scale)
	case logicalDate:
		return "a date"
	case logicalTime:
		return "a time of day"
	case logicalTimestamp:
		return "a timestamp"
	case logicalInteger:
		if !m.signed {
			return fmt.Sprintf("uint%d", m.bits)
		}
		return fmt.Sprintf("int%d", m.bits)
	case logicalJSON:
		return "JSON"
	case logicalUUID:
		return "a UUID"
	}
	switch s.phys {
	case physBoolean:
		return "boolean"
	case physInt32:
		return "int32"
	case physInt64:
		return "int64"
	case physInt96:
		return "an INT96 timestamp (a form given up in 2018)"
	case physFloat:
		return "float"
	case physDouble:
		return "double"
	case physBytes:
		return "BYTE_ARRAY"
	case physFixed:
		return fmt.Sprintf("FIXED_LEN_BYTE_ARRAY(%d)", s.typeLen)
	}
	return "a struct"
}

func (s *schemaNode) isText() bool {
	if s.phys != physBytes {
		return false
	}
	switch s.meaning().kind {
	case 0, logicalString, logicalEnum, logicalJSON:
		return s.converted != 20 // BSON
	}
	return false
}

func (s *schemaNode) isInteger() bool {
	if s.phys != physInt32 && s.phys != physInt64 {
		return false
	}
	k := s.meaning().kind
	return k == 0 || k == logicalInteger
}

func (s *schemaNode) isUnsigned() bool {
	m := s.meaning()
	return m.kind == logicalInteger && !m.signed
}
